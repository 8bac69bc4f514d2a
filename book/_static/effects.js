/* Tables that answer: a study's effects follow the dial, the calculator its three choices.
 *
 *   [data-kd-at="4"]          a text that is shown while the dial is at T = 4
 *   .kd-calculator            see kdfair_book/pages/advice.py
 *   [data-kd-address]         the page's address, where it has one that others can open
 */
(() => {
  "use strict";

  function follow(table) {
    const list = table.dataset.kdTemperatures.trim().split(/\s+/).map(Number);
    const texts = [...table.querySelectorAll("[data-kd-at]")];
    return (T) => {
      const at = String(list[window.kdfair.nearest(list, T)]);
      texts.forEach((text) => (text.hidden = text.dataset.kdAt !== at));
    };
  }

  function calculate(box) {
    const answers = JSON.parse(box.querySelector(".kd-answers-state").textContent);
    const [n, rate, seeds] = ["n", "base_rate", "seeds"].map((name) =>
      box.querySelector(`[data-kd-choice="${name}"]`));
    const show = () => {
      const said = answers[n.value][rate.value][seeds.value];
      box.querySelectorAll("[data-kd-answer]").forEach((cell) => {
        cell.textContent = said[cell.dataset.kdAnswer];
      });
    };
    [n, rate, seeds].forEach((choice) => choice.addEventListener("change", show));
    show(); // a browser may have kept other choices
  }

  function start() {
    document.querySelectorAll(".kd-effects[data-kd-temperatures]").forEach((table) =>
      window.kdfair.dial.subscribe(follow(table)));
    document.querySelectorAll(".kd-calculator").forEach(calculate);
    if (/^http/.test(location.protocol)) {
      const address = location.origin + location.pathname;
      document.querySelectorAll("[data-kd-address]").forEach((e) => (e.textContent = " " + address));
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
