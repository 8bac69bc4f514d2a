/* What scrolls sideways can be reached by keyboard, and has a name: at every width. */
(() => {
  "use strict";
  const SCROLLERS = "pre, table, .highlight, .kd-scroll, .kd-formula, .kd-across, .cell_output, .text_html, dl, dt";

  /** The caption, or the heading that the element stands under. */
  function nameOf(element, kind) {
    const caption = element.querySelector("caption");
    const heading = element.closest("section")?.querySelector("h1, h2, h3");
    const text = (caption || heading)?.textContent.replace(/#$/, "").trim();
    return text ? `${kind}: ${text}` : kind;
  }

  /** A table that scrolls by itself would not be read as one: its box scrolls in its place. */
  function boxed(table) {
    if (table.parentElement.matches(".kd-wide, .kd-scroll")) return table.parentElement;
    const box = Object.assign(document.createElement("div"), { className: "kd-wide" });
    table.replaceWith(box);
    box.append(table);
    return box;
  }

  function reach() {
    for (const found of document.querySelectorAll(`main :is(${SCROLLERS})`)) {
      const scrolls = getComputedStyle(found).overflowX;
      if (scrolls !== "auto" && scrolls !== "scroll" && found.tagName !== "TABLE") continue;
      if (found.scrollWidth <= found.clientWidth && found.tagName !== "TABLE") {
        if (found.dataset.kdReached) ["tabindex", "role", "aria-label"].forEach((a) => found.removeAttribute(a));
        continue;
      }
      const element = found.tagName === "TABLE" ? boxed(found) : found;
      if (element.scrollWidth <= element.clientWidth || element.hasAttribute("tabindex")) continue;
      const kind = element.querySelector("table") ? "Table" : element.matches("pre, .highlight") ? "Code" : "Wide part";
      element.tabIndex = 0;
      element.setAttribute("role", "region");
      element.setAttribute("aria-label", nameOf(element, kind));
      element.dataset.kdReached = "yes";
    }
  }

  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(reach, 100);
  };
  addEventListener("resize", soon);
  addEventListener("toggle", soon, true);
  addEventListener("kdfair:dial", soon, true); // other tables show at another temperature
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", reach);
  else reach();
})();
