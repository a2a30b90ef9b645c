// Time, tempo and confidence under the pointer. SERIES is written by K1: where columns begin and rows end, seconds of a
// column, and for each column the tempo in tenths of a beat per minute and the confidence in per cent.
"use strict";
{
  const tip = document.getElementById("tip");
  const hair = document.getElementById("hair");
  const hide = () => { tip.hidden = hair.hidden = true; };
  const clock = (t) => {
    const two = (x) => String(x).padStart(2, "0");
    const h = Math.floor(t / 3600), m = Math.floor(t / 60) % 60, s = two(Math.floor(t % 60));
    return (h ? `${h}:${two(m)}:${s}` : `${m}:${s}`) + "." + Math.floor(t * 10 % 10);
  };
  const show = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const column = (event.clientX - box.left) / scale - SERIES.left;
    if (column < 0 || column >= Number(svg.dataset.shown)) return hide();
    const at = Number(svg.dataset.first) + column;
    const tempo = SERIES.tempi[Math.floor(at)], sure = SERIES.confidence[Math.floor(at)];
    tip.textContent = clock(at * SERIES.column_s) + (tempo ? ` · ${(tempo / 10).toFixed(1)} BPM · confidence ${sure} %` : " · no beat");
    tip.hidden = hair.hidden = false;
    hair.style.left = event.clientX + "px";
    hair.style.top = box.top + "px";
    hair.style.height = SERIES.rows * scale + "px";
    tip.style.left = Math.max(4, Math.min(event.clientX + 10, innerWidth - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, box.top - 14) + "px";
  };
  for (const svg of document.querySelectorAll("svg[data-first]")) {
    svg.addEventListener("pointermove", (event) => show(svg, event));
    svg.addEventListener("pointerdown", (event) => show(svg, event));
    svg.addEventListener("pointerleave", hide);
  }
  addEventListener("scroll", hide, { capture: true, passive: true });
}
