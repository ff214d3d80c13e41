// A slider over the years with a button that plays them, for the pages of an article and of a claim.

export function dayInWords(date) {
  const options = { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
  return new Date(date).toLocaleDateString("en-GB", options);
}

// A day of evidence time as precisely as it is known for sure: a date that is known in part counts from its end.
export function knownInWords(date) {
  const [year, month, day] = date.split("-").map(Number);
  if (month === 12 && day === 31) return String(year);
  const isLast = new Date(Date.UTC(year, month, 0)).getUTCDate() === day;
  return isLast ? dayInWords(date).replace(/^\d+ /, "") : dayInWords(date);
}

// Says beside the slider which year is shown; the last one is today. Links to claims lead on to the same year.
export function sayYear(year, lastYear) {
  const isToday = year >= lastYear;
  for (const link of document.querySelectorAll("a[data-dated]")) link.search = isToday ? "" : `?as_of=${year}`;
  document.getElementById("end-of").textContent = year >= lastYear ? "" : "the end of ";
  document.getElementById("shown-year").value = year >= lastYear ? "today" : year;
}

// Lets the slider and its button show years by `show`; returns a function that goes to a year.
export function slide(firstYear, lastYear, show) {
  const slider = document.getElementById("year");
  const play = document.getElementById("play");
  let timer = null;

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  function goTo(year) {
    slider.value = year;
    show(year);
  }

  function start() {
    if (Number(slider.value) >= lastYear) goTo(firstYear);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      const next = Number(slider.value) + 1;
      if (next > lastYear) stop();
      else goTo(next);
    }, 900);
  }

  function choose(year) {
    if (timer) stop();
    goTo(year);
  }

  play.hidden = false;
  document.getElementById("show").hidden = true;
  play.addEventListener("click", () => (timer ? stop() : start()));
  slider.addEventListener("input", () => choose(Number(slider.value)));
  return choose;
}
