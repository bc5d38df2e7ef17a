// Says that a file is too large before it is sent, and that something happens while it is.
for (const form of document.querySelectorAll("[data-bring]")) {
  const input = form.querySelector("input[type=file]");
  input.addEventListener("change", () => {
    const file = input.files[0];
    input.setCustomValidity(file && file.size > Number(form.dataset.most) ? form.dataset.mostText : "");
    input.reportValidity();
  });
  form.addEventListener("submit", () => form.setAttribute("aria-busy", "true"));
}
