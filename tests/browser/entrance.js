/** Goes in as the demo's printed address lets everybody in who can read the terminal. */
export async function enter(page, gateway) {
  await page.goto(gateway.entrance);
  await page.waitForLoadState('load');
}
