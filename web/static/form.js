// Hides questions that do not apply. Without this script each of them says when it is to be answered.
"use strict";

const form = document.getElementById("screening");

function chosen(name) {
  return Array.from(form.elements)
    .filter((element) => element.name === name)
    .filter((element) => element.tagName === "SELECT" || element.checked)
    .map((element) => element.value);
}

function showWhatApplies() {
  for (const field of form.querySelectorAll("[data-when]")) {
    const wanted = field.dataset.whenValues.split(" ");
    field.hidden = !chosen(field.dataset.when).some((value) => wanted.includes(value));
  }
}

// "None of these" and the others contradict each other: choosing one takes back the other.
function keepOneSide(changed) {
  const list = changed.closest("[data-exclusive]");
  if (!list || !changed.checked) return;
  const exclusive = list.dataset.exclusive;
  for (const box of list.querySelectorAll("input")) {
    if ((box.value === exclusive) !== (changed.value === exclusive)) box.checked = false;
  }
}

for (const hint of form.querySelectorAll(".hint-when")) hint.hidden = true;
form.addEventListener("change", (event) => {
  keepOneSide(event.target);
  showWhatApplies();
});
showWhatApplies();
