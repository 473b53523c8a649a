// Tell what the chosen query holds and put it into the curl line. Without this script the form works all the same.
const query = document.getElementById("query");
const told = document.getElementById("told");
const line = document.getElementById("line");

const count = (number, one, many = `${one}s`) => `${number} ${number === "1" ? one : many}`;

function tell() {
  const { slices, series, subjects } = query.selectedOptions[0].dataset;
  told.textContent = `${count(slices, "slice")} of ${count(series, "series", "series")}, ${count(subjects, "subject")}.`;
  told.hidden = false;
  line.textContent = line.textContent.replace(/\/Images\/\w+/, `/Images/${query.value}`);
}

if (query && query.options.length) {
  query.addEventListener("change", tell);
  tell();
}
