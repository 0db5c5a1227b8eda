// Puts each part of the page that the server sends again in its place, and says whether the connection stands.
"use strict";
(function () {
  const main = document.querySelector("main[data-events]");
  const line = document.getElementById("connection");
  if (!main || !line || !window.EventSource) return;
  let source = null;

  function say(text, kind) {
    line.textContent = text;
    line.className = kind;
  }

  function put(parts) {
    for (const [name, html] of Object.entries(parts)) {
      const section = document.getElementById(name);
      if (section) section.innerHTML = html;
    }
    tick();
  }

  // The server says since when; how long that is by now is counted here, by this machine's clock and the server's at the last word.
  let ahead = 0;
  function tick() {
    for (const time of document.querySelectorAll("time[data-since]")) {
      const seconds = Math.max(0, Math.round((Date.now() + ahead - Date.parse(time.dataset.since)) / 1000));
      const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
      const told = hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
      time.textContent = `${time.dataset.said}, for ${told}`;
    }
  }

  function listen() {
    if (source) return;
    source = new EventSource(main.dataset.events);
    source.onopen = () => say("live", "live");
    source.onmessage = (event) => {
      const told = JSON.parse(event.data);
      ahead = Date.parse(told.now) - Date.now();
      put(told.parts);
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) {
        say("connection lost; trying again", "lost");
        return;
      }
      source.close();
      source = null;
      say("not live: reload the page, or open the address that 'upgrader serve' printed", "lost");
      setTimeout(() => document.hidden || listen(), 10000);
    };
  }

  // A page that nobody looks at holds no connection: a browser has only six to one server.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      listen();
    } else if (source) {
      source.close();
      source = null;
    }
  });
  say("connecting", "");
  listen();
  setInterval(tick, 1000);
})();
