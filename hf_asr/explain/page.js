"use strict";
// One place in time for all pictures of a case: under the pointer, on the slider, or where the sound is.
for (const section of document.querySelectorAll(".case")) follow(section, JSON.parse(section.querySelector(".island").textContent));

function follow(section, data) {
  const slider = section.querySelector(".at"), told = section.querySelector(".told"), audio = section.querySelector("audio");
  const lines = section.querySelectorAll(".now"), score = section.querySelector(".score"), table = section.querySelector("[data-live]");
  const number = (value) => value.toFixed(2).replace("-", "−");
  const whole = data.per * data.frames;
  let shown = -1;

  function make(tag, text, name) {
    const made = document.createElement(tag);
    made.textContent = text; // a text, whatever a transcript holds
    if (name) made.className = name;
    return made;
  }

  function spelled(node) {
    let text = "";
    for (let at = node; at > 0; at = data.nodes[at][0]) text = data.nodes[at][1] + text;
    const divided = text.endsWith(" ");
    return text.trim() ? text.trim() + (divided ? "|" : "") : divided ? "|" : "–";
  }

  function move(frame, seconds) {
    const at = seconds ?? (frame + 0.5) * data.per;
    for (const line of lines) {
      line.setAttribute("x1", `${(100 * at) / whole}%`);
      line.setAttribute("x2", `${(100 * at) / whole}%`);
    }
    if (frame === shown) return;
    shown = frame;
    slider.value = frame;
    const when = data.seconds ? `${(frame * data.per).toFixed(2)} s` : `frame ${frame + 1}`;
    slider.setAttribute("aria-valuetext", when);
    told.replaceChildren(when + ":");
    for (const [name, percent] of best(frame)) told.append(" ", make("b", name), ` ${percent.toFixed(percent < 10 ? 1 : 0)} %`);
    if (table && data.beam) beam(frame);
  }

  function best(frame) {
    if (data.best) return data.best[frame];
    const at = frame * data.per;
    return data.tokens.filter(([start, end]) => start <= at && at < end).map(([, , text, percent]) => [text, percent]);
  }

  function beam(frame) {
    const after = (frame + 1) * data.per;
    table.querySelector(".when").textContent = data.seconds ? `${after.toFixed(2)} s` : `frame ${frame + 1}`;
    table.tBodies[0].replaceChildren(...data.beam[frame].map(([node, ...parts]) => {
      const row = document.createElement("tr"), head = document.createElement("th");
      head.scope = "row";
      head.append(make("bdi", spelled(node)));
      row.append(head, ...parts.slice(0, data.lm ? 5 : 1).map((part) => make("td", number(part), "number")));
      return row;
    }));
  }

  const frameAt = (share) => Math.max(0, Math.min(data.frames - 1, Math.floor(share * data.frames)));
  for (const track of section.querySelectorAll(".track")) {
    track.addEventListener("pointermove", (event) => {
      if (audio && !audio.paused) return;
      const box = track.getBoundingClientRect();
      move(frameAt((event.clientX - box.left) / box.width));
    });
    track.addEventListener("click", (event) => {
      const box = track.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
      move(frameAt(share));
      if (audio) audio.currentTime = share * whole;
    });
  }
  slider.disabled = false;
  slider.addEventListener("input", () => {
    move(Number(slider.value));
    show(Number(slider.value) / data.frames);
  });

  // What is marked stays in view where the axis is wider than the page.
  function show(share) {
    const row = section.querySelector(".row"), gutter = row.firstElementChild.clientWidth;
    const at = share * (row.scrollWidth - gutter) + gutter, left = score.scrollLeft, width = score.clientWidth;
    if (at < left + gutter + 20 || at > left + width - 60) score.scrollLeft = at - width / 3;
  }

  function play() {
    if (audio.paused) return;
    const share = audio.currentTime / whole;
    move(frameAt(share), Math.min(audio.currentTime, whole));
    show(share);
    requestAnimationFrame(play);
  }
  if (audio) audio.addEventListener("play", play);
  section.classList.add("live");
  move(Number(slider.value));
}
