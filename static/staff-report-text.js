// The text of a report: letters that become a text block, marks for bold print and lists, words taken over from what stands beside.
// Everything goes through the browser's own editing, so that Ctrl+Z takes it back.
const form = document.querySelector("[data-report]");
const blocks = JSON.parse(form.dataset.blocks);
const dialog = document.querySelector("[data-blocks-dialog]");
let last = form.querySelector("#findings");
form.addEventListener("focusin", (event) => { if (event.target.matches("textarea")) last = event.target; });

const put = (field, words, from = field.selectionStart, to = field.selectionEnd) => {
  field.focus({ preventScroll: true });
  field.setSelectionRange(from, to);
  if (!document.execCommand("insertText", false, words)) {
    field.setRangeText(words, from, to, "end");
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
};

// Letters and digits before the cursor that begin a word, or that are selected (as after Ctrl+Z), as the server folds them.
const lettersBefore = (field) => {
  const { value, selectionStart: from, selectionEnd: to } = field;
  const typed = from === to ? /(?:^|[^\p{L}\p{N}])([\p{L}\p{N}]{1,16})$/u.exec(value.slice(0, to))?.[1] : value.slice(from, to);
  const letters = typed?.normalize("NFKC").toLowerCase();
  return letters && Object.hasOwn(blocks, letters) ? { letters, from: to - typed.length, to } : null;
};
const expand = (field, { letters, from, to }) => put(field, blocks[letters], from, to);

const bold = (field) => {
  const { value, selectionStart: from, selectionEnd: to } = field;
  const chosen = value.slice(from, to);
  if (/^\*\*[^]*\*\*$/.test(chosen) && chosen.length > 4) return put(field, chosen.slice(2, -2));
  // The marks stand close to the words, or they stay as typed.
  const [, before, words, after] = /^(\s*)([^]*?)(\s*)$/.exec(chosen);
  put(field, words.split("\n").map((line) => line.trim() ? line.replace(/^(\s*(?:- )?)(.*?)(\s*)$/, "$1**$2**$3") : line).join("\n")
    .replace(/^/, before) + after || "****");
  if (!words) field.setSelectionRange(field.selectionStart - 2, field.selectionStart - 2);
};
const list = (field) => {
  const { value } = field;
  const from = value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const end = value.indexOf("\n", field.selectionEnd);
  const to = end < 0 ? value.length : end;
  const lines = value.slice(from, to).split("\n");
  const isList = lines.every((line) => line.startsWith("- "));
  put(field, lines.map((line) => isList ? line.slice(2) : line.trim() || lines.length === 1 ? `- ${line}` : line).join("\n"), from, to);
};
const showBlocks = () => dialog.showModal();

form.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!field.matches("textarea") || event.isComposing || event.metaKey) return;
  const isTab = event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey;
  const isSpace = event.code === "Space" && event.ctrlKey && !event.altKey && !event.shiftKey;
  if (isTab || isSpace) {
    const found = lettersBefore(field);
    if (found) {
      event.preventDefault();
      expand(field, found);
    } else if (isSpace) {
      event.preventDefault();
      showBlocks();
    }
  }
  if (event.key.toLowerCase() === "b" && event.ctrlKey && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    bold(field);
  }
  // The next line of a list is an item too; an empty item ends it.
  if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey && field.selectionStart === field.selectionEnd) {
    const from = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
    const line = field.value.slice(from, field.selectionStart);
    if (!line.startsWith("- ")) return;
    event.preventDefault();
    if (line.trim() === "-") put(field, "", from, field.selectionStart);
    else put(field, "\n- ");
  }
});

const marks = form.querySelector("[data-marks]");
marks.hidden = false;
marks.addEventListener("pointerdown", (event) => { if (event.target.closest("button")) event.preventDefault(); }); // the cursor stays
for (const button of marks.querySelectorAll("[data-mark]")) {
  button.addEventListener("click", () => (button.dataset.mark === "bold" ? bold : list)(last));
}
marks.querySelector("[data-open-blocks]").addEventListener("click", showBlocks);
for (const button of dialog.querySelectorAll("[data-block]")) button.addEventListener("click", () => {
  dialog.close();
  put(last, blocks[button.dataset.block]);
});

// Words from an earlier report, or from the other person's text, after what stands there.
for (const button of document.querySelectorAll("[data-take]")) {
  button.hidden = false;
  button.closest("[hidden].take")?.removeAttribute("hidden");
  button.addEventListener("click", () => {
    const field = form.querySelector(`#${button.dataset.take}`);
    const words = button.closest(".part, .theirs").querySelector("[data-words]").textContent;
    const end = field.value.length;
    put(field, field.value.trim() ? `\n\n${words}` : words, end, end);
  });
}
