// The panels at the side, one shown at a time.

import { emit } from "./state.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];

export function showTab(name) {
  for (const tab of tabs) {
    const mine = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(mine));
    tab.tabIndex = mine ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !mine;
  }
  emit("tab");
}

export function startTabs() {
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => showTab(tab.id.slice(4)));
    tab.addEventListener("keydown", (event) => {
      const shift = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!shift) return;
      event.stopPropagation();
      const next = tabs[(place + shift + tabs.length) % tabs.length];
      showTab(next.id.slice(4));
      next.focus();
    });
  });
}
