// Helps with the landing page's form; the server decides everything. Takes the code from the QR's fragment and
// clears it from the address bar, groups the code while it is typed, notices a typing error by the check symbol.

const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford base32
const form = document.querySelector("[data-landing]");
const { code, day, password, with_password: withPassword } = form.elements;
const codeField = form.querySelector("[data-code-field]");
const codeError = document.getElementById("code-error");

// The end of a QR's or a mail's address: "!p", a password is asked for; "!p=" and ten digits, here it is.
const MARKER = /!p(?:=(\d{10}))?$/i;
const passwordIn = (text) => text.match(MARKER)?.[1] ?? "";
// What was meant: any width of letters, any case, O for 0, I and L for 1, separators and a whole QR address ignored.
const fromAddress = (text) => text.replace(/^.*#/s, "").replace(MARKER, "");
const read = (text) => fromAddress(text).normalize("NFKC").toUpperCase()
  .replace(/[\s\p{P}\p{S}\p{Cf}]/gu, "").replace(/O/g, "0").replace(/[IL]/g, "1");
const group = (symbols) => symbols.replace(/(.{4})(?=.)/g, "$1-");

// The check symbol over GF(32), x^5+x^2+1: the sum of 2^(i+1)·d_i, by Horner's rule from the right.
export const passes = (symbols) => {
  const values = [...symbols].map((symbol) => SYMBOLS.indexOf(symbol));
  if (values.includes(-1) || values.length < 9 || values.length > 17) return false;
  const check = values.pop();
  return values.reduceRight((sum, value) => {
    const doubled = (sum ^ value) << 1;
    return doubled & 32 ? doubled ^ 37 : doubled;
  }, 0) === check;
};

const problemWith = (symbols) => {
  if (!symbols) return form.dataset.missing;
  if (passes(symbols)) return "";
  return symbols.length === Number(form.dataset.codeLength) ? form.dataset.check : form.dataset.length;
};

const show = (message) => {
  const prefix = document.createElement("span"); // heard, not seen, as in the server's own messages
  prefix.className = "vh";
  prefix.textContent = form.dataset.error;
  codeError.replaceChildren(...(message ? [prefix, ` ${message}`] : []));
  codeField.classList.toggle("wrong", Boolean(message));
  if (message) code.setAttribute("aria-invalid", "true"); else code.removeAttribute("aria-invalid");
};

// A password that a link carries is sent, and shown only to whoever opens its field.
const takePassword = (text) => {
  if (passwordIn(text)) password.value = passwordIn(text);
  else if (MARKER.test(text)) withPassword.checked = true;
};

// Dashes come only while typing at the end, and never during an input method's composition: the caret stays put
// and deleting works as everywhere.
code.addEventListener("input", (event) => {
  const atEnd = code.selectionStart === code.value.length;
  if (event.isComposing || !atEnd || !event.inputType?.startsWith("insert")) return;
  takePassword(code.value); // a whole address was pasted
  const typed = fromAddress(code.value).toUpperCase();
  const symbols = typed.replace(/[\s\p{P}]/gu, "");
  const ownDash = /[\s\p{P}]$/u.test(typed) && symbols.length > 0 && symbols.length % 4 === 0;
  code.value = group(symbols) + (ownDash ? "-" : "");
});

code.addEventListener("change", () => {
  const symbols = read(code.value);
  if (passes(symbols)) code.value = group(symbols);
  show(symbols ? problemWith(symbols) : "");
});

withPassword.addEventListener("change", () => {
  if (withPassword.checked) password.focus(); else password.value = "";
});

let sent = -Infinity;
form.addEventListener("submit", (event) => {
  const problem = problemWith(read(code.value));
  show(problem);
  if (problem) {
    event.preventDefault();
    code.focus();
    codeField.scrollIntoView({ block: "nearest" });
  } else if (event.timeStamp - sent < 8000) {
    event.preventDefault(); // pressed twice: the first one is on its way
  } else {
    sent = event.timeStamp;
    form.querySelector("[data-sending-status]").textContent = form.dataset.sending;
  }
});

// The QR holds /#CODE or /#CODE!p (the sheet shows a password), a mail perhaps /#CODE!p=PASSWORD. A fragment that names a field is one of our own links.
const takeFragment = () => {
  let fragment = location.hash.slice(1);
  try { fragment = decodeURIComponent(fragment); } catch { /* stays as it is; the check below refuses it */ }
  if (!fragment || document.getElementById(fragment)) return false;
  history.replaceState(null, "", location.pathname + location.search);
  const symbols = read(fragment);
  code.value = group(symbols);
  takePassword(fragment);
  const problem = problemWith(symbols);
  show(problem);
  const { filled, filledAsking, filledBoth } = form.dataset;
  const words = passwordIn(fragment) ? filledBoth : MARKER.test(fragment) ? filledAsking : filled;
  form.querySelector("[data-code-status]").textContent = problem ? "" : words;
  const next = passwordIn(fragment) ? form.querySelector("button[name=go]") : day;
  (problem ? code : next).focus();
  return true;
};
const filled = takeFragment();
addEventListener("hashchange", takeFragment);

document.querySelector(".summary ul")?.addEventListener("click", (event) => {
  const field = document.getElementById(event.target.closest("a")?.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  (field.closest(".field") ?? field).scrollIntoView();
  field.focus({ preventScroll: true });
});

// Coming back through the history on a shared computer: nothing of what the last person typed.
addEventListener("pageshow", () => {
  if (filled || performance.getEntriesByType("navigation")[0]?.type !== "back_forward") return;
  for (const field of form.elements) if (field.type === "text") field.value = "";
});
