// Run by `bulkproof run onkey -- npx vitest run`, and without any package by `bulkproof run onkey -- node --test`.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRecords } from './records.js'
import { Sandbox } from './sandbox.js'

const { afterEach, beforeEach, test } = await import(process.env.VITEST ? 'vitest' : 'node:test')
let sandbox

beforeEach(async () => {
  sandbox = new Sandbox(`records-${randomUUID()}`)
  await sandbox.freeze()
})
afterEach(() => sandbox.drop())

const codes = async () => (await sandbox.stored('onkey', 'AssetImportance')).map((one) => one.properties.code)

const failing = (rule) => ({
  name: 'def-fails',
  rules: [
    {
      when: { operation: 'batchCreate' },
      items: { where: { 'properties.code': 'DEF' } },
      then: { fail: { code: 'Sandbox_BusinessRule' } },
      ...rule,
    },
  ],
})

test('sends only the failed record again', async () => {
  await sandbox.scenario(failing({ times: 1 }))
  assert.deepEqual(await createRecords(sandbox.url('onkey'), ['ABC', 'DEF']), [])
  assert.deepEqual((await codes()).filter((code) => !code.startsWith('AI')), ['ABC', 'DEF'])
  assert.deepEqual((await sandbox.exchanges()).map((one) => one.outcomes.done), [1, 1])
  assert.deepEqual(await sandbox.laws('failed'), [])
})

test('gives up a record that fails each time', async () => {
  await sandbox.scenario(failing({}))
  assert.deepEqual(await createRecords(sandbox.url('onkey'), ['ABC', 'DEF']), ['DEF'])
  assert.equal((await sandbox.exchanges()).length, 3)
})
