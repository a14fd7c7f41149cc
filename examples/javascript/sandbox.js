/** A sandbox of a Bulkproof server, for one test: its own state, clock, scenarios and journal. */
export class Sandbox {
  /** `bulkproof run` sets BULKPROOF_URL; without it, the server of `bulkproof serve` is used. */
  constructor(name, root = process.env.BULKPROOF_URL ?? 'http://127.0.0.1:8080') {
    this.name = name
    this.root = root
  }

  /** The base URL of an API, which the client under test is given. */
  url(api) {
    return `${this.root}/@${this.name}/${api}`
  }

  /** A call of the control API. */
  async ask(method, path, body) {
    const answer = await fetch(`${this.root}/_sandbox/sandboxes/${this.name}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.parse(text).detail}`)
    return text ? JSON.parse(text) : undefined
  }

  /** Stops the clock, so that only `advance` moves it. */
  freeze() {
    return this.ask('PUT', '/clock', { mode: 'frozen' })
  }

  /** Moves the clock on, such as by '5m' or 'PT5M'. */
  advance(by) {
    return this.ask('POST', '/clock/advance', { by })
  }

  /** Activates scenarios, by name or as documents, beside those that are active. */
  scenario(...scenarios) {
    return this.ask('POST', '/scenarios', { scenarios })
  }

  /** The stored records of a kind. */
  async stored(api, kind) {
    return (await this.ask('GET', `/entities/${api}/${kind}`)).entities.map((one) => one.body)
  }

  /** The exchanges so far. */
  async exchanges() {
    return (await this.ask('GET', '/exchanges')).exchanges
  }

  /** The laws of client conduct with this status: 'passed', 'failed' or 'not-run'. */
  async laws(status) {
    return (await this.ask('GET', '/verdict')).laws.filter((one) => one.status === status)
  }

  drop() {
    return this.ask('DELETE', '')
  }
}
