/** The page of `bulkproof report open`: reports alone, without a sandbox. The files are in `reports.json` beside it. */

import { html } from "./ui.js";
import { render } from "./vendor/htm-preact.js";
import Report from "./pages/report.js";

async function givenFiles() {
  const answer = await fetch(new URL("reports.json", document.baseURI)).catch(() => null);
  return answer?.ok ? (await answer.json()).files : [];
}

render(html`
  <header class="top"><span class="wordmark">bulkproof</span></header>
  <main id="main"><${Report} given=${await givenFiles()} /></main>`, document.getElementById("app"));
