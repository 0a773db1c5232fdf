// Every page in both sizes, themes and languages: accessible, within its frame, and nothing that its own content security
// policy would refuse. Pictures of all of them for people to look at.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { axe, close, newPage, overhang, ready, screenshot, session, SIZES } from "./browser.mjs";

after(close);

/** A rule of our own, because axe cannot see into pictures: every figure says in words what it shows. */
async function namelessFigures(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("figure svg[role=img], figure > svg")]
      .filter((svg) => !svg.closest("[aria-hidden=true]") && !svg.getAttribute("aria-label") && !svg.getAttribute("aria-labelledby"))
      .filter((svg) => !svg.closest("figure").querySelector("figcaption, table"))
      .map((svg) => svg.outerHTML.slice(0, 200)),
  );
}

async function look(page, name) {
  assert.deepEqual(await axe(page), [], `${name}: axe`);
  assert.deepEqual(await namelessFigures(page), [], `${name}: figures without words`);
  assert.ok((await overhang(page)) <= 0, `${name}: the page scrolls sideways by ${await overhang(page)} pixels`);
  await screenshot(page, name);
  assert.deepEqual(page.trespasses, [], name);
}

const PAGES = {
  today: "/",
  hosts: "/hosts",
  "hosts-search": "/hosts?search=%E5%86%85%E7%A7%91",
  host: `/hosts/${ready.host}`,
  clinics: "/clinics",
  expiry: "/expiry",
  renewals: "/renewals",
  join: "/join",
};

for (const theme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    describe(`${size}, ${theme}`, () => {
      test("login", async () => {
        const page = await newPage({ size, theme });
        await page.goto("/login");
        assert.equal(await page.locator("html").getAttribute("lang"), "ja");
        await look(page, `login-${size}-${theme}`);
        await page.context().close();
      });
      for (const [name, address] of Object.entries(PAGES)) {
        test(name, async () => {
          const page = await newPage({ size, theme, state: await session() });
          const response = await page.goto(address);
          assert.equal(response.status(), 200, address);
          const policy = response.headers()["content-security-policy"] ?? "";
          assert.match(policy, /default-src 'self'|default-src 'none'/);
          assert.doesNotMatch(policy, /unsafe-/);
          await look(page, `${name}-${size}-${theme}`);
          await page.context().close();
        });
      }
    });
  }
}

describe("in English", () => {
  for (const [name, address] of Object.entries(PAGES)) {
    test(name, async () => {
      const page = await newPage({ locale: "en-US", state: await session() });
      await page.goto(`${address}${address.includes("?") ? "&" : "?"}lang=en`);
      assert.equal(await page.locator("html").getAttribute("lang"), "en", address);
      await look(page, `${name}-wide-light-en`);
      await page.context().close();
    });
  }
});
