// A day's work: signing in, finding a PC, renewing a certificate and watching it happen.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { close, newPage, oneTimeCode, ready, screenshot, session, signIn } from "./browser.mjs";

after(close);

test("whoever is not signed in gets to the door, and from there to where they wanted", async () => {
  const page = await newPage();
  await page.goto("/hosts");
  await page.waitForURL(/\/login/);
  assert.deepEqual(page.trespasses, []);
  await page.context().close();
});

test("a wrong code lets nobody in, and does not say what was wrong", async () => {
  const page = await newPage();
  await signIn(page, oneTimeCode(-100));
  const words = await page.locator("[role=alert]").innerText();
  assert.ok(words.length > 5, words);
  assert.match(page.url(), /\/login/);
  await page.context().close();
});

test("a code counts once", async () => {
  await session();
  // The next step's code is good already, and surely nobody has used it.
  const code = oneTimeCode(1);
  const first = await newPage();
  await signIn(first, code);
  await first.waitForURL((url) => !url.pathname.startsWith("/login"));
  const second = await newPage();
  await signIn(second, code);
  await second.locator("[role=alert]").waitFor();
  await first.context().close();
  await second.context().close();
});

test("two characters find clinics and PCs, and the address keeps the search", async () => {
  const page = await newPage({ state: await session() });
  await page.goto("/hosts");
  const all = await page.locator("tbody tr").count();
  await page.locator("#f-search").fill("内科");
  await page.locator(".filters button").click();
  await page.waitForURL(/search=/);
  const rows = page.locator("tbody tr");
  await rows.first().waitFor();
  const found = await rows.allInnerTexts();
  assert.ok(found.length > 0 && found.length < all, `${found.length} of ${all}`);
  for (const row of found) assert.match(row, /内科|$/);
  assert.ok(found.filter((row) => row.includes("内科")).length >= found.length - 1, found.join("\n"));
  await page.reload();
  assert.equal(await page.locator("#f-search").inputValue(), "内科");
  assert.deepEqual(page.trespasses, []);
  await page.context().close();
});

test("every number on the overview is a link, and leads to a list", async () => {
  const page = await newPage({ state: await session() });
  await page.goto("/");
  const links = await page.locator("main a[href^='/hosts'], main a[href^='/expiry'], main a[href^='/renewals']").evaluateAll((all) =>
    [...new Set(all.map((link) => link.getAttribute("href")))].slice(0, 25),
  );
  assert.ok(links.length >= 4, links.join(" "));
  for (const link of links) {
    const response = await page.goto(link);
    assert.equal(response.status(), 200, link);
  }
  assert.deepEqual(page.trespasses, []);
  await page.context().close();
});

test("a certificate of this machine is renewed from the page, and the page shows each step by itself", async () => {
  const page = await newPage({ state: await session() });
  await page.goto(`/hosts/${ready.host}`);
  await page.locator("#host-certificates a.btn.main").first().click();
  await page.locator("#reason").fill("ブラウザーの試験");
  await screenshot(page, "renew-ask");
  await page.locator("form button.main").click();
  await page.waitForURL(new RegExp(`/hosts/${ready.host}`));
  let loads = 0;
  page.on("load", () => (loads += 1));
  const steps = new Set();
  const done = page.locator("#host-timeline", { hasText: "完了" });
  const deadline = Date.now() + 90_000;
  while ((await done.count()) === 0) {
    assert.ok(Date.now() < deadline, `the page did not say 完了; seen: ${[...steps].join(" ")}`);
    const now = page.locator("#host-renewals li[aria-current=step]").first();
    if (await now.count()) steps.add((await now.innerText().catch(() => "")).trim());
    await page.waitForTimeout(50);
  }
  assert.equal(loads, 0, "it came by itself, without loading the page anew");
  await screenshot(page, "renew-done");
  assert.deepEqual(page.trespasses, []);
  await page.context().close();
});
