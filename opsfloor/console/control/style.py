"""How the control room looks: calm until something is not, large enough for tired eyes."""

from __future__ import annotations

from typing import Final

from deploy.grafana.questions import BAD, GOOD, WARNING
from opsfloor.console.screen import STYLE as BOARDS

STYLE: Final = (
    BOARDS
    + f"""
html {{ font-size: clamp(15px, 1vw, 34px); }}
.room {{ width: 100%; display: flex; flex-direction: column; gap: 0.6rem; outline: none; }}
h1 {{ font-size: 1.35rem; font-weight: 700; line-height: 1.3; margin: 0 0 0.4rem; }}
main h2 {{ font-size: 1.1rem; font-weight: 700; margin: 0.4rem 0 0.2rem; line-height: 1.3; }}
.card {{ background: #fff; border: 1px solid #d0d7de; border-radius: 0.3rem; padding: 0.6rem 0.9rem; min-width: 0; }}
.tiles {{ display: grid; gap: 0.6rem; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); margin: 0; }}
.tiles div {{ background: #fff; border: 1px solid #d0d7de; border-radius: 0.3rem; padding: 0.45rem 0.8rem; }}
.tiles dt {{ font-size: 0.85rem; color: #424a53; }}
.tiles dd {{ font-size: 1.55rem; font-weight: 700; margin: 0; font-variant-numeric: tabular-nums; line-height: 1.3; }}
.tiles dd .verdict {{ font-size: 0.85rem; vertical-align: middle; }}
.tiles small {{ font-size: 0.8rem; font-weight: 400; color: #424a53; display: block; }}
.order {{ display: grid; gap: 0.6rem;
    grid-template: "what beside" auto "acts beside" auto "life beside" 1fr / minmax(0, 4fr) minmax(0, 5fr); }}
.what {{ grid-area: what; }} .acts {{ grid-area: acts; }} .life {{ grid-area: life; }}
.beside {{ grid-area: beside; display: flex; flex-direction: column; gap: 0.6rem; min-width: 0; }}
.sheet {{ overflow-x: auto; width: 100%; }}
.sheet table {{ width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }}
.sheet th, .sheet td {{ text-align: left; padding: 0.3rem 0.7rem 0.3rem 0; vertical-align: top; border-bottom: 1px solid #e3e7eb; }}
.sheet thead th {{ font-size: 0.85rem; font-weight: 600; color: #424a53; white-space: nowrap; }}
.sheet tbody th {{ font-weight: 600; }} .sheet .figure {{ white-space: nowrap; }}
.sheet .verdict:first-child {{ margin-left: 0; }}
.verdict {{ white-space: nowrap; display: inline-block; }}
.verdict.plain {{ background: #e6e9ed; color: #1b1f24; }}
a {{ color: #0b4f87; text-decoration: underline; }}
.empty {{ color: #424a53; margin: 0.2rem 0; }}
.facts {{ display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.2rem 1rem; margin: 0; }}
.facts dt {{ color: #424a53; }} .facts dd {{ margin: 0; overflow-wrap: anywhere; }}
.what p {{ margin: 0 0 0.4rem; }}
.big {{ font-size: 1.25rem; font-weight: 700; margin: 0.1rem 0 0.4rem; }}
.left-bar {{ height: 0.7rem; background: #d8dde3; border-radius: 0.35rem; overflow: hidden; margin: 0.2rem 0 0.6rem; }}
.left-bar div {{ height: 100%; background: {GOOD}; }}
.bullets {{ list-style: none; margin: 0.2rem 0 0.5rem; padding: 0; }}
.bullets li {{ padding: 0.2rem 0.6rem; margin-bottom: 0.2rem; border-left: 0.4rem solid #8c959f; background: #f4f5f7; }}
.bullets .good {{ border-color: {GOOD}; }} .bullets .watch {{ border-color: {WARNING}; }}
.bullets .bad {{ border-color: {BAD}; font-weight: 700; }}
fieldset {{ border: 1px solid #8c959f; border-radius: 0.3rem; padding: 0.3rem 0.7rem 0.5rem; margin: 0 0 0.6rem; min-width: 0; }}
legend {{ font-weight: 600; padding: 0 0.3rem; }}
.tick {{ display: flex; gap: 0.5rem; align-items: baseline; padding: 0.15rem 0; min-height: 1.6rem; cursor: pointer; }}
.tick input {{ width: 1.1rem; height: 1.1rem; flex: none; accent-color: {GOOD}; align-self: center; }}
.ticks {{ display: flex; flex-wrap: wrap; gap: 0 1.3rem; }}
.field {{ display: block; margin: 0 0 0.6rem; }}
.field > span {{ font-weight: 600; display: block; }} .field small {{ display: block; color: #424a53; }}
.field input {{ font: inherit; width: 100%; max-width: 32rem;
    padding: 0.4rem 0.6rem; border: 1px solid #57606a; border-radius: 0.3rem; background: #fff; color: #1b1f24; }}
.fields {{ display: flex; flex-wrap: wrap; gap: 0 1.2rem; }} .fields .field {{ flex: 1 1 10rem; }}
details {{ margin: 0 0 0.6rem; }} summary {{ cursor: pointer; font-weight: 600; padding: 0.3rem 0; color: #0b4f87; }}
summary::before {{ content: "▸ "; }} details[open] > summary::before {{ content: "▾ "; }}
.presses {{ display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 0.4rem 0; align-items: center; }}
.press {{ font: inherit; font-weight: 600; padding: 0.45rem 1rem; border-radius: 0.3rem;
    border: 2px solid #0b4f87; background: #fff; color: #0b4f87; cursor: pointer; min-height: 2.6rem; }}
.press.main {{ background: #0b4f87; color: #fff; }}
.press.bad {{ border-color: #8a3a00; color: #8a3a00; }}
.press.quiet {{ border-width: 1px; padding: 0.1rem 0.6rem; min-height: 1.9rem; font-weight: 400; }}
.press[aria-disabled] {{ opacity: 0.6; cursor: progress; }}
:focus-visible {{ outline: 3px solid #000; outline-offset: 2px; box-shadow: 0 0 0 2px #fff; }}
.outcome {{ padding: 0.4rem 0.8rem; border-radius: 0.3rem; font-weight: 600; margin: 0.3rem 0; }}
.outcome.good {{ background: #dbeefa; border-left: 0.4rem solid {GOOD}; }}
.outcome.bad {{ background: #fbe3d4; border-left: 0.4rem solid {BAD}; }}
.ending {{ background: {WARNING}; color: #000; padding: 0.3rem 0.8rem; border-radius: 0.3rem; width: 100%; margin: 0; }}
.stale {{ margin: 0; }}
.unheard {{ display: none; background: {BAD}; color: #000; font-weight: 700; padding: 0.3rem 0.8rem; width: 100%; margin: 0; }}
body.unheard-of .unheard {{ display: block; }} body.unheard-of .room {{ opacity: 0.55; }}
.told {{ display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; align-items: baseline; }} .who {{ font-weight: 600; }}
.skip {{ position: absolute; left: -100rem; }} .skip:focus {{ position: static; }}
.confirmation {{ max-width: 34rem; padding: 1rem 1.3rem; border: 3px solid #8a3a00;
    border-radius: 0.4rem; background: #fff; margin: auto; }}
.confirmation::backdrop {{ background: rgb(0 0 0 / 0.55); }}
.sign-in {{ max-width: 40rem; }}
code {{ background: #e6e9ed; padding: 0 0.3rem; border-radius: 0.2rem; overflow-wrap: anywhere; }}
@media (max-width: 45rem) {{
  .sheet thead {{ position: absolute; left: -100rem; }}
  .sheet table, .sheet tbody, .sheet tr, .sheet th, .sheet td {{ display: block; }}
  .sheet tr {{ border-bottom: 2px solid #8c959f; padding: 0.3rem 0; }}
  .sheet th, .sheet td {{ border: 0; padding: 0.1rem 0; }}
  .sheet td {{ display: flex; flex-wrap: wrap; gap: 0 0.4rem; }} .sheet td:empty {{ display: none; }}
  .sheet td::before {{ content: attr(data-column); color: #424a53; flex: 0 0 6.5rem; }}
  .sheet td > * {{ flex: 0 1 auto; min-width: 0; }} .sheet .verdict {{ margin-left: 0; }}
}}
@media (max-width: 60rem) {{ .order {{ display: flex; flex-direction: column; }} .told {{ margin-left: 0; }} }}
@media (prefers-reduced-motion: reduce) {{ * {{ transition: none !important; animation: none !important; }} }}
"""
)
UNHEARD: Final = """<script>
let saidLast = "", saidAt = Date.now();
setInterval(() => {  // the console renews #told every two seconds, also when routing is away
  const said = document.getElementById("told")?.textContent ?? "";
  if (said !== saidLast) { saidLast = said; saidAt = Date.now(); }
  document.body.classList.toggle("unheard-of", Date.now() - saidAt > 12000);
}, 1000);
</script>"""
KEPT_FOCUS: Final = """<script>
(() => {  // where the keyboard stood goes away: it goes to what says what became of it, which a screen reader then reads
  const seen = (part) => part.isConnected && part.getClientRects().length > 0;
  let held = null, card = null, asked = false;
  document.addEventListener("focusin", (event) => { held = event.target; card = held.closest(".card"); });
  document.addEventListener("focusout", (event) => {  // somebody left it, unless it is about to go
    setTimeout(() => { if (held === event.target && seen(held) && document.activeElement !== held) held = null; });
  });
  const stands = () => {
    asked = false;
    if (!held || seen(held) || ![document.body, held].includes(document.activeElement)) return;
    const told = [...(card?.querySelectorAll(".outcome") ?? []), ...document.querySelectorAll("[data-became]"),
      ...(card?.querySelectorAll("h2") ?? []), ...document.querySelectorAll("h1")].find(seen);
    if (told) { told.tabIndex = -1; told.focus(); }
  };
  new MutationObserver(() => { if (!asked) { asked = true; requestAnimationFrame(stands); } }).observe(
    document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["class", "style"] });
})();
</script>"""
