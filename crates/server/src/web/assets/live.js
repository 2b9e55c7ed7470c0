// Keeps a page up to date. Without it every page works; it has to be loaded again by hand.
"use strict";

(() => {
  const { after, area, every, poll } = document.body.dataset;
  const status = document.getElementById("live");
  const spanish = document.documentElement.lang === "es";

  // Exact times in the reader's own time zone.
  const tell = new Intl.DateTimeFormat(document.documentElement.lang, {
    dateStyle: "full",
    timeStyle: "short",
  });
  function localTimes() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      time.title = tell.format(new Date(time.dateTime));
    }
  }
  localTimes();

  // Asks before what cannot be undone.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.ask;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // Loads the page again and puts its content in place, unless somebody is typing into it.
  let loading = false;
  async function renew() {
    const content = document.getElementById("content");
    const typing = document.activeElement?.matches("input, textarea, select");
    if (loading || document.hidden || (typing && content.contains(document.activeElement))) return;
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("content");
      if (fresh && fresh.innerHTML !== content.innerHTML) replace(content, fresh);
    } catch {
      // The node is away; the next event, or the next round, tries again.
    } finally {
      loading = false;
    }
  }

  // The keyboard's place is kept: the same link or button in the new content gets the focus.
  function replace(content, fresh) {
    const focused = content.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.getAttribute("href") ?? focused?.id;
    const open = [...content.querySelectorAll("details[open]")].map((one) => one.id);
    content.replaceChildren(...fresh.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (key) {
      const same = [...content.querySelectorAll("a, button")].find(
        (one) => one.getAttribute("href") === key || one.id === key,
      );
      same?.focus({ preventScroll: true });
    }
    localTimes();
  }

  if (every) setInterval(renew, Number(every));
  if (!after) return;

  // How a poll stands: the numbers change in place, in the page's own words.
  const counted = ({ ballots, weight }) =>
    ballots === weight ? String(ballots) : `${ballots} (${weight})`;
  function showTally({ total, blank, options }) {
    for (const row of document.querySelectorAll("#tally [data-option]")) {
      const number = Number(row.dataset.option);
      const count = number === 0 ? blank : options[number - 1];
      const percent = total.weight ? Math.round((100 * count.weight) / total.weight) : 0;
      const bar = row.querySelector("progress");
      bar.max = Math.max(total.weight, 1);
      bar.value = count.weight;
      row.querySelector(".number").textContent = `${counted(count)} · ${percent} %`;
    }
    const sum = document.getElementById("total");
    if (sum) sum.textContent = counted(total);
  }

  // Many readers hear of a post at once; they do not all ask for it at once.
  let planned = 0;
  function renewSoon() {
    if (planned) return;
    planned = setTimeout(() => {
      planned = 0;
      renew();
    }, 100 + Math.random() * 900);
  }

  const query = new URLSearchParams({ after });
  if (area) query.set("area", area);
  if (poll) query.set("poll", poll);
  const events = new EventSource(`/v1/events?${query}`);
  for (const kind of [
    "post.removed", "area.added", "area.edited", "area.removed", "poll.created",
    "lottery.opened", "lottery.agency-closed", "lottery.drawn",
  ]) {
    events.addEventListener(kind, renewSoon);
  }
  events.addEventListener("post.published", (event) => {
    const { title, author } = JSON.parse(event.data);
    status.textContent = spanish ? `Nuevo: ${title} (${author})` : `New: ${title} (${author})`;
    renewSoon();
  });
  events.addEventListener("poll.closed", () => {
    // A receipt that was just given stays until its voter leaves the page.
    if (!document.querySelector("[data-keep]")) return renewSoon();
    status.textContent = spanish ? "La votación se ha cerrado" : "The poll was closed";
  });
  events.addEventListener("poll.tally", (event) => {
    const told = JSON.parse(event.data);
    if (poll && String(told.poll) === poll) showTally(told.tally);
  });
  events.addEventListener("gone", () => {
    events.close();
    location.reload();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) renewSoon();
  });
  window.addEventListener("pagehide", () => events.close());
})();
