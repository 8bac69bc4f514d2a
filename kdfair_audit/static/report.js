// The temperature dial and the theme. Text and charts are already in the page: this shows the part
// that belongs to the dial's temperature, and hides the others.
(() => {
  "use strict";
  const start = (root) => {
    root.dataset.kaReady = "1";
    const temperatures = (root.dataset.kdTemperatures || "").split(" ").filter(Boolean).map(Number);
    const dial = root.querySelector(".ka-dial");
    if (dial && temperatures.length > 1) {
      const range = dial.querySelector("input");
      const output = dial.querySelector("output");
      const turn = (at) => {
        range.value = String(at);
        range.setAttribute("aria-valuetext", "T = " + temperatures[at]);
        output.textContent = String(temperatures[at]);
        for (const part of root.querySelectorAll("[data-ka-at]")) {
          const here = part.dataset.kaAt === String(at);
          if (part.tagName.toLowerCase() === "section") part.hidden = !here;
          else part.classList.toggle("ka-now", here);
        }
      };
      const nearest = (T) => {
        const far = temperatures.map((t) => Math.abs(Math.log(t / T)));
        return far.indexOf(Math.min(...far));
      };
      dial.hidden = false;
      range.addEventListener("input", () => turn(Number(range.value)));
      turn(nearest(Number(root.dataset.kdStart)));
      // In the book one dial drives the whole page.
      document.addEventListener("kdfair:dial", (event) => {
        dial.hidden = true;
        turn(nearest(event.detail.T));
      });
    }
    const theme = root.querySelector("[data-ka-theme]");
    if (theme) {
      const dark = () => {
        const chosen = document.documentElement.dataset.theme;
        return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      };
      const say = () => { theme.textContent = dark() ? "Light theme" : "Dark theme"; };
      theme.hidden = false;
      theme.addEventListener("click", () => {
        document.documentElement.dataset.theme = dark() ? "light" : "dark";
        say();
      });
      say();
    }
  };
  for (const root of document.querySelectorAll(".kdfair-audit:not([data-ka-ready])")) start(root);
})();
