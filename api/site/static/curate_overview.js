// My proposals and what became of them, drafts, and how many proposals wait.
import {
  ask, day, deleteDraft, drafts, effectOf, effectOfSuggestion, element, fallingWith, inWords, isSaid, link, linkTo,
  make, may, me, nameOf, ownAddress, pageOf, refusal, saidOf, start, titleOf,
} from "./curate.js";

// More pages than this of one's own proposals are not looked through.
const MOST_PAGES = 10;
const FATES = {
  submitted: "waits", accepted: "accepted", rejected: "rejected", withdrawn: "withdrawn", retracted: "retracted",
};
const DECIDED = ["accept", "reject"];

async function mine() {
  const found = [];
  const query = new URLSearchParams({
    state: Object.keys(FATES).join(","), proposed_by: me.name, limit: "200",
  });
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await ask("GET", `/v1/reviews?${query}`);
    if (!answer.ok) return { found, problem: refusal(answer) };
    found.push(...answer.data.data);
    if (!answer.data.page.next) break;
    query.set("cursor", answer.data.page.next);
  }
  return { found: found.reverse(), problem: "" };
}

// Before a proposal is withdrawn with others that rest on it, their proposer is asked.
async function withdraw(record, row, proposals) {
  const falling = fallingWith(record, proposals.filter((each) => each.state === "submitted"));
  if (!falling.length) return withdrawAll(record, row, falling);
  const button = make("button", { type: "button" }, "Withdraw all of it");
  button.addEventListener("click", () => withdrawAll(record, row, falling));
  row.querySelector(".told").replaceChildren(
    make("p", {}, `What rests on it is withdrawn with it: ${falling.map(nameOf).join(", ")}.`),
    make("p", { className: "actions" }, button));
  button.focus();
  return undefined;
}

async function withdrawAll(record, row, falling) {
  const answer = await ask("DELETE", ownAddress(record.kind, record.id), undefined, {
    "If-Match": `"${record.revision}"`,
  });
  if (!answer.ok) {
    row.querySelector(".told").textContent = refusal(answer);
    return;
  }
  await showMine();
  const also = falling.length ? `, and with it ${falling.map(nameOf).join(", ")}` : "";
  element(isSaid(record) ? "said-state" : "mine-state").textContent = `Withdrawn: ${nameOf(record)}${also}.`;
}

async function showEffect(record, row) {
  const answer = await ask("POST", `${ownAddress(record.kind, record.id)}:preview`);
  const told = row.querySelector(".told");
  const inWordsOf = { evidence: effectOf, suggestion: effectOfSuggestion }[record.kind];
  if (answer.ok) told.replaceChildren(...inWordsOf(answer.data));
  else told.textContent = refusal(answer);
}

// One's own suggestions that wait, by their ids: with what they change of their records as those are now.
async function waitingSuggestions() {
  const query = new URLSearchParams({ proposed_by: me.name, limit: "200" });
  const answer = await ask("GET", `/v1/suggestions?${query}`);
  return new Map(answer.ok ? answer.data.data.map((each) => [each.id, each]) : []);
}

async function carryOver(record, row) {
  const answer = await ask("POST", `${ownAddress("suggestion", record.id)}:carry_over`, undefined, {
    "If-Match": `"${record.revision}"`,
  });
  if (!answer.ok) {
    row.querySelector(".told").textContent = refusal(answer);
    return;
  }
  await showMine();
  element("said-state").textContent = `Carried over to the record as it is now: ${record.id}.`;
}

// What was said of a record, and what of it was taken.
function whatWasSaid(record, waiting) {
  const { about, patch = {}, before = {}, taken } = record.record;
  const changes = waiting?.changes
    ?? Object.entries(patch).map(([field, suggested]) => ({ field, now: before[field], suggested }));
  const parts = [make("p", {}, "About ", linkTo(about), "."), ...saidOf(record, changes)];
  const left = Object.keys(patch).filter((field) => !taken?.includes(field));
  if (taken && left.length) parts.push(make("p", {}, `Taken: ${taken.map(inWords).join(", ")}. Not taken: ${left.map(inWords).join(", ")}.`));
  if (waiting?.outdated) parts.push(make("p", { className: "outdated" }, "Outdated: somebody changed since what it changes, or its record is not there any more."));
  return parts;
}

function rowOf(record, proposals, waiting) {
  const text = titleOf(record);
  const said = isSaid(record);
  const address = record.state === "accepted" ? pageOf(record) : null;
  const undone = record.action === "undo" ? `; a decision was undone by ${record.actor}` : "";
  const by = DECIDED.includes(record.action) ? ` by ${record.actor}` : undone;
  const row = make("li", { className: "row" },
    make("span", {}, make("span", { className: `fate fate-${record.state}` }, FATES[record.state])),
    make("div", {},
      said ? null : make("p", { className: "first" }, address ? link(address, text) : text),
      make("p", { className: "soft" }, `${inWords(record.kind)} ${record.id} · ${FATES[record.state]}${by}, ${day(record.at)}`),
      ...(said ? whatWasSaid(record, waiting) : []),
      record.comment && record.action !== "derive" ? make("p", {}, "Comment: ", make("q", {}, record.comment)) : null,
      make("div", { className: "told", role: "status" })));
  if (said) row.id = record.id;
  if (record.state === "submitted") {
    const actions = make("p", { className: "actions" });
    const add = (words, work) => {
      const button = make("button", { type: "button" }, words);
      button.setAttribute("aria-label", `${words}: ${record.id}`);
      button.addEventListener("click", () => work(record, row, proposals));
      actions.append(button);
    };
    if (["evidence", "suggestion"].includes(record.kind)) add("Show its effect", showEffect);
    if (waiting?.outdated) add("Carry over", carryOver);
    add("Withdraw", withdraw);
    row.lastElementChild.append(actions);
  }
  return row;
}

async function showMine() {
  const { found, problem } = await mine();
  const said = found.filter(isSaid);
  const proposed = found.filter((record) => !isSaid(record));
  const waiting = said.some((record) => record.state === "submitted") ? await waitingSuggestions() : new Map();
  element("mine").replaceChildren(...proposed.map((record) => rowOf(record, proposed)));
  element("mine-state").textContent = problem || (proposed.length ? "" : "You have proposed nothing yet.");
  element("said").replaceChildren(...said.map((record) => rowOf(record, found, waiting.get(record.id))));
  element("said-state").textContent = said.length || problem ? "" : "None yet: follow “Suggest a change” on the page of a claim or a source.";
}

function showDrafts() {
  const kept = drafts();
  element("no-drafts").hidden = kept.length > 0;
  element("drafts").replaceChildren(...kept.map((draft) => {
    const values = Object.values(draft.values).filter((value) => typeof value === "string");
    const button = make("button", { type: "button" }, "Delete");
    button.setAttribute("aria-label", `Delete the draft ${draft.address}`);
    button.addEventListener("click", () => {
      deleteDraft(draft.address);
      showDrafts();
    });
    const about = new URLSearchParams(draft.address.split("?")[1]).get("record");
    const told = about ?? draft.values.statement ?? draft.values.title ?? draft.values.finding ?? values[0] ?? "";
    return make("li", {}, link(draft.address, `${draft.address.split(/[/?]/)[2]}: ${told.slice(0, 80) || "empty"}`),
      make("span", { className: "soft" }, ` of ${day(draft.at)} `), button);
  }));
}

async function showWaiting() {
  const answer = await ask("GET", "/v1/reviews?limit=200");
  if (!answer.ok) return;
  const number = answer.data.data.length;
  element("waiting").textContent = `${number}${answer.data.page.next ? " or more" : ""} waiting`;
}

// Who never declared their interests, or did so more than a year ago, is asked to.
function showInterests() {
  element("interests").hidden = !me.conflict_of_interest_due;
  element("conflict").value = me.conflict_of_interest ?? "";
  element("interests-why").textContent = me.conflict_declared
    ? `You declared this on ${day(me.conflict_declared)}. Is it so today?`
    : "Whoever decides on a proposal is told what could bias its proposer.";
}

element("interests").addEventListener("submit", async (event) => {
  event.preventDefault();
  const area = element("conflict");
  const fault = element("conflict-error");
  const said = area.value.trim();
  const answer = said ? await ask("PATCH", "/v1/key", { conflict_of_interest: said }) : null;
  const problem = answer === null ? "Write none if there is nothing." : answer.ok ? "" : refusal(answer);
  area.setAttribute("aria-invalid", String(problem !== ""));
  fault.hidden = problem === "";
  fault.textContent = problem;
  if (problem) return area.focus();
  element("interests").hidden = true;
  element("declared").textContent = `Declared: ${answer.data.conflict_of_interest}`;
});

start(() => {
  showInterests();
  showDrafts();
  showMine();
  if (may("curator")) showWaiting();
});
