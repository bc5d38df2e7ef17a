// Beside what is shown once: a button that copies it, and one that prints the page. Where the browser has no clipboard
// (plain http), the text is selected instead, so that Ctrl+C takes it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  const said = Object.assign(document.createElement("span"), { className: "vh", role: "status" });
  button.after(said);
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const lines = [...source.querySelectorAll("li")].map((line) => line.textContent);
    try {
      await navigator.clipboard.writeText(lines.length ? lines.join("\n") : source.textContent.trim());
    } catch {
      getSelection().selectAllChildren(source);
      return;
    }
    button.textContent = said.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; said.textContent = ""; }, 4000);
  });
}
document.querySelector("[data-print-page]")?.addEventListener("click", () => print());
