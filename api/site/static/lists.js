// Fills in the counts of filters that the page did not wait for.
// Without it each filter works, only without its number.
const aside = document.querySelector("[data-counts]");
const isOpen = (place) => place.textContent === "" && !place.closest("[data-set]");
const open = [...document.querySelectorAll("[data-term]")].filter(isOpen);

async function count() {
  const response = await fetch(aside.dataset.counts, { headers: { Accept: "application/json" } });
  if (!response.ok) return;
  const { total, data } = await response.json();
  const claims = total === 1 ? "claim" : "claims";
  document.getElementById("total").textContent = `${total.toLocaleString("en")} ${claims}`;
  for (const place of open) {
    const name = place.closest("[data-facet]").dataset.facet;
    const found = data[name].terms.find(({ term }) => term === place.dataset.term);
    place.textContent = (found?.count ?? 0).toLocaleString("en");
  }
}

if (open.length) count();
