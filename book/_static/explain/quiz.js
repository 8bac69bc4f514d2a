/* Quizzes: a list of choices that answers when one is picked. Without JavaScript the choices are a
   list and the answer unfolds. */
(function () {
  "use strict";
  let serial = 0;

  function enliven(quiz) {
    const answer = quiz.querySelector("details");
    const right = parseInt(answer?.querySelector("strong")?.textContent, 10);
    const items = [...quiz.querySelectorAll("ol > li")];
    const asked = quiz.querySelector("p");
    if (!(right >= 1 && right <= items.length) || !asked) return;
    const name = `kx-quiz-${++serial}`;
    asked.id = `${name}-question`;
    const list = items[0].parentElement;
    list.setAttribute("role", "radiogroup");
    list.setAttribute("aria-labelledby", asked.id);
    const said = document.createElement("p");
    said.className = "kx-said";
    said.setAttribute("role", "status");
    list.after(said);
    items.forEach((item, i) => {
      const choice = document.createElement("input");
      Object.assign(choice, { type: "radio", name, value: String(i + 1) });
      const label = document.createElement("label");
      label.append(choice, ...item.childNodes);
      item.setAttribute("role", "none");
      item.append(label);
      choice.addEventListener("change", () => {
        const good = i + 1 === right;
        items.forEach((other) => other.classList.remove("kx-right", "kx-not"));
        item.classList.add(good ? "kx-right" : "kx-not");
        said.textContent = good
          ? "Right. The reason stands under Answer."
          : "Not this one. Try again, or unfold the answer.";
        if (good) answer.open = true;
      });
    });
    quiz.classList.add("kx-live");
  }

  const start = () => document.querySelectorAll(".kx-quiz").forEach(enliven);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
