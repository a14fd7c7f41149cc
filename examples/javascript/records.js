// The client under test: it creates records in batches, and sends again those that failed.

const COLLECTION = 'application/vnd.onkey.entitycollection+json'
const PATH = '/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord'

/** Creates a record for each code, in at most three tries. Returns the codes that could not be created. */
export async function createRecords(baseUrl, codes) {
  let left = codes
  for (let tries = 0; tries < 3 && left.length > 0; tries += 1) {
    const records = left.map((code) => ({ userObjectId: code, properties: { code, description: code } }))
    const answer = await fetch(baseUrl + PATH, {
      method: 'POST',
      headers: { 'Content-Type': COLLECTION },
      body: JSON.stringify(records),
    })
    const { messages } = await answer.json()
    left = messages.filter((one) => one.severity === 'error').map((one) => one.userObjectId)
  }
  return left
}
