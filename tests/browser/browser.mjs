// A headless Chromium that is signed in once, and that remembers everything a page should not have done.

import { createHmac } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import AxeSource from "axe-core";
import { chromium } from "playwright-core";

/** What deploy/try says once it runs. */
export const ready = JSON.parse(await readFile(process.env.INKAN_READY, "utf8"));
const screenshots = process.env.INKAN_SCREENSHOTS ?? "target/screenshots";
await mkdir(screenshots, { recursive: true });

export const SIZES = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

/** The code that an authenticator app shows, `steps` of 30 seconds away from now (RFC 6238). */
export function oneTimeCode(steps = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...ready.totp_seed].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  const seed = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", seed).update(counter).digest();
  const offset = digest[19] & 0x0f;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

let browser;

export async function open() {
  browser ??= await chromium.launch({
    executablePath: process.env.INKAN_CHROMIUM,
    // Containers run as root, where Chromium's sandbox cannot work; the pages come from this machine.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  return browser;
}

export async function close() {
  await browser?.close();
}

/** A page of somebody who is not signed in, or with `state` of somebody who is. */
export async function newPage({ size = "wide", theme = "light", locale = "ja-JP", state } = {}) {
  const context = await (await open()).newContext({
    baseURL: ready.web,
    viewport: SIZES[size],
    colorScheme: theme,
    locale,
    reducedMotion: "reduce",
    storageState: state,
  });
  const page = await context.newPage();
  page.trespasses = [];
  await page.exposeFunction("reportViolation", (words) => page.trespasses.push(words));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.reportViolation(`content security policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  page.on("pageerror", (error) => page.trespasses.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    // Leaving a page ends its live stream, and htmx says so; a stream that fails otherwise is caught below.
    const leaving = message.text().includes("Failed to fetch");
    if (message.type() === "error" && !leaving) page.trespasses.push(`console: ${message.text()}`);
  });
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText ?? "";
    if (why !== "net::ERR_ABORTED") page.trespasses.push(`request failed: ${request.url()} ${why}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(ready.web) && !request.url().startsWith("data:")) {
      page.trespasses.push(`request to elsewhere: ${request.url()}`);
    }
  });
  return page;
}

/** Signs in through the form. */
export async function signIn(page, code = oneTimeCode()) {
  await page.goto("/login");
  await page.locator("#mail").fill(ready.mail);
  await page.locator("#password").fill(ready.password);
  await page.locator("#code").fill(code);
  await page.locator("form button.main").click();
}

/** Cookies of somebody who has signed in: once for all files of tests, because each code counts once. */
export async function session() {
  const file = `${process.env.INKAN_READY}.session`;
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept) return JSON.parse(kept);
  const page = await newPage();
  await signIn(page);
  await page.waitForURL((url) => !url.pathname.startsWith("/login"));
  const state = await page.context().storageState();
  await page.context().close();
  await writeFile(file, JSON.stringify(state), { mode: 0o600 });
  return state;
}

/** What axe finds wrong, one line each. */
export async function axe(page) {
  await page.evaluate(AxeSource.source);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}

/** By how many pixels the page is wider than the window. */
export function overhang(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

export async function screenshot(page, name) {
  await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
}
