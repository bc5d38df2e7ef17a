// On a landing page that asks to wait (429, 503): counts down and sends the form again as it stands. Without script the
// page says how long to wait and the button does the rest. A password is never in the page: the person types it again.
const form = document.querySelector("[data-landing]");
const notice = document.querySelector("[data-wait]");
const whatNext = notice.querySelector("[data-what-next]");
const left = notice.querySelector("[data-left]");
const again = form.querySelector(`button[name=go][value="${notice.dataset.go}"]`);
const plain = whatNext.textContent;
const due = performance.now() + Number(notice.dataset.wait) * 1000;
// Sent a little later than told: everybody in a waiting room was told the same number.
const late = Math.random() * 2000;
let byItself = Boolean(notice.dataset.byItself);

const tick = () => {
  const seconds = Math.max(0, Math.ceil((due - performance.now()) / 1000));
  if (left) left.textContent = seconds;
  if (seconds) setTimeout(tick, 250);
  else if (byItself) setTimeout(() => { if (byItself) again.click(); }, late); // as a person would, checks included
};
const takeOver = () => {
  byItself = false;
  whatNext.textContent = plain;
};
// Whoever changes something or presses the button is in charge again.
form.addEventListener("input", takeOver);
form.addEventListener("submit", takeOver);
if (byItself) whatNext.textContent = notice.dataset.words;
tick();
