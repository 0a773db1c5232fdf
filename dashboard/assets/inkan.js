// The one script of our own: a button that copies what stands beside it. Without it, or without a clipboard, the text
// can still be marked and copied by hand, so the button stays hidden.
(() => {
  "use strict";
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copies]")) {
    const source = document.getElementById(button.dataset.copies);
    if (!source) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = button.dataset.done;
    });
  }
})();
