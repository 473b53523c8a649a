"use strict";
// Tell what the chosen query holds and put it into the curl line. Without this script the form works all the same.
const query = document.getElementById("query");
const told = document.getElementById("told");
const line = document.getElementById("line");

function tell() {
  const { slices, series, subjects } = query.selectedOptions[0].dataset;
  told.textContent = `${slices} ${slices === "1" ? "slice" : "slices"} of ${series} series, ${subjects} ${subjects === "1" ? "subject" : "subjects"}.`;
  told.hidden = false;
  line.textContent = `/Images/${query.value}`;
}

if (query && query.options.length) {
  query.addEventListener("change", tell);
  tell();
}
