// Follows a submission: the server sends its status whenever it changes. Without this script the page reloads.
"use strict";
(function () {
  const root = document.querySelector("[data-events]");
  if (!root || !window.EventSource) return;
  const ended = ["reported", "failed", "refused", "cancelled"];
  const words = {
    queued: "Waiting for the site", leased: "Running", "awaiting-release": "Waiting for approval at the site",
    reported: "Reported", failed: "Failed", refused: "Refused by the site", cancelled: "Cancelled",
  };
  const announcer = document.getElementById("live-status");
  let reloading = false;
  function reload() {
    if (reloading) return;
    reloading = true;
    source.close();
    window.location.reload();
  }
  function show(run) {
    const row = root.querySelector('[data-run="' + CSS.escape(run.run) + '"]');
    if (!row) { reload(); return; }
    if (row.dataset.state !== run.state && ended.includes(run.state)) { reload(); return; }
    row.dataset.state = run.state;
    row.querySelector("[data-words]").textContent = words[run.state] || run.state;
    const progress = row.querySelector("progress");
    const count = row.querySelector("[data-count]");
    if (run.total > 0) {
      if (progress) { progress.max = run.total; progress.value = run.done; }
      if (count) count.textContent = run.done + " of " + run.total + " cases";
    }
    if (announcer) announcer.textContent = run.site + ": " + (words[run.state] || run.state);
  }
  function receive(event) {
    let status;
    try { status = JSON.parse(event.data); } catch { return; }
    (status.runs || (status.run ? [status] : [])).forEach(show);
    if (status.state && status.runs && status.state !== root.dataset.state) reload();
  }
  const source = new EventSource(root.dataset.events);
  source.onmessage = receive;
  ["status", "progress", "submission"].forEach(function (name) { source.addEventListener(name, receive); });
})();
