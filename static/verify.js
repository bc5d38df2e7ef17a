// Takes the fingerprint (SHA-256) of the chosen file in the browser and sends it in the file's place. Where the
// browser has no crypto (plain http), the form sends the file itself, as it does without script.

const form = document.querySelector("[data-verify]");
const { pdf, sha256 } = form.elements;
const problem = form.querySelector("[data-problem]");
const progress = form.querySelector("[data-progress]");
const status = form.querySelector("[data-status]");
const drop = form.querySelector("[data-drop]");
const staysHere = Boolean(globalThis.crypto?.subtle);

form.noValidate = true; // the message stands at the field, in the page's language
form.querySelector("[data-sent]").hidden = staysHere;
form.querySelector("[data-stays]").hidden = !staysHere;
form.querySelector("[data-can-drop]").hidden = !matchMedia("(any-pointer: fine)").matches;

const show = (message) => {
  problem.textContent = message;
  drop.classList.toggle("wrong", Boolean(message));
  if (message) pdf.focus();
};

const read = async (file) => {
  const bytes = new Uint8Array(file.size);
  let length = 0;
  progress.hidden = false;
  for (const reader = file.stream().getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return bytes;
    bytes.set(value, length);
    length += value.length;
    progress.value = length / file.size;
  }
};

const fingerprint = async (file) => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await read(file)));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

form.addEventListener("submit", async (event) => {
  const [file] = pdf.files;
  show(file ? "" : form.dataset.missing);
  if (!file || staysHere) event.preventDefault();
  if (!file || form.inert) return;
  status.textContent = staysHere ? form.dataset.reading : form.dataset.asking;
  if (!staysHere) return;
  form.inert = true; // pressed twice: the first one is on its way
  try {
    sha256.value = await fingerprint(file);
    status.textContent = form.dataset.asking;
    pdf.disabled = true; // so that the file isn't sent
    form.submit();
  } catch { // it was moved or changed meanwhile
    form.inert = false;
    progress.hidden = true;
    status.textContent = "";
    show(form.dataset.unreadable);
  }
});

// A file let go beside the target would open in place of the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
drop.addEventListener("dragover", () => drop.classList.add("over"));
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  pdf.files = event.dataTransfer.files;
  show("");
});
pdf.addEventListener("change", () => show(""));

// Back from the answer: a fresh form.
addEventListener("pageshow", () => {
  form.reset();
  form.inert = pdf.disabled = false;
  progress.hidden = true;
});
