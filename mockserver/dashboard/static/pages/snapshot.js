/** A sandbox as a file: take its snapshot away, or put one in its place. */

import { getText, ofSandbox, putText } from "../api.js";
import { Dialog, ErrorMessage, Field, download, html } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";

export function Snapshot({ name, onClose }) {
  const [isWhole, setWhole] = useState(false);
  const [file, setFile] = useState(null);
  const [outcome, setOutcome] = useState({});
  const run = (act) => async (event) => {
    event.preventDefault();
    setOutcome({ told: "Working…" });
    try {
      setOutcome({ told: await act() });
    } catch (error) {
      setOutcome({ error });
    }
  };
  const take = run(async () => {
    const text = await getText(`${ofSandbox(name, "snapshot")}${isWhole ? "?journal=true" : ""}`);
    download(`${name}.snapshot.json`, text, "application/json");
    return "The snapshot is in your downloads.";
  });
  const put = run(async () => {
    await putText(ofSandbox(name, "snapshot"), await file.text());
    return `${name} has the state of ${file.name}.`;
  });
  return html`
    <${Dialog} title=${`Snapshot of ${name}`} onClose=${onClose}>
      ${outcome.error && html`<${ErrorMessage} error=${outcome.error} />`}
      <p role="status">${outcome.told}</p>
      <form class="sandboxes-part" onSubmit=${take}>
        <h3>Take it away</h3>
        <p>All of the sandbox's state, its tokens included, as one JSON file.</p>
        <p><label><input type="checkbox" checked=${isWhole} onChange=${(event) => setWhole(event.currentTarget.checked)} /> with the journal</label></p>
        <button type="submit">Download</button>
      </form>
      <form class="sandboxes-part" onSubmit=${put}>
        <h3>Put one in its place</h3>
        <${Field} label="Snapshot file" hint="It replaces everything in this sandbox, its journal too.">
          <input type="file" required accept=".json,application/json" onChange=${(event) => setFile(event.currentTarget.files[0])} />
        <//>
        <button type="submit" class="danger" disabled=${!file}>Replace its state</button>
      </form>
    <//>`;
}
