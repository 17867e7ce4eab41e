import { describe, expect, it } from "vitest";
import { outboundUrlFault } from "../../../../src/edge/domain/network/outbound-url.ts";

const refused = (url: string) => outboundUrlFault(url, false) !== null;

it.each([
  "https://example.com/a.pdf",
  "https://example.com:8443/",
  "https://93.184.216.34/",
  "https://[2606:4700::6810:84e5]/",
  "https://xn--bcher-kva.de/",
])("lets %s through", (url) => expect(refused(url)).toBe(false));

it.each([
  "ftp://example.com/",
  "file:///etc/passwd",
  "gopher://example.com",
  "javascript:1",
  "nonsense",
  "http://example.com/",
  "https://user:pass@example.com/",
  "https://example.com:22/",
  "https://localhost/",
  "https://localhost./",
  "https://a.localhost/",
  "https://intranet/",
  "https://db.internal/",
  "https://printer.local/",
  "https://x.home/",
  "https://a.in-addr.arpa/",
  "https://127.0.0.1/",
  "https://127.1/",
  "https://2130706433/",
  "https://0x7f.0.0.1/",
  "https://0177.0.0.1/",
  "https://0.0.0.0/",
  "https://10.1.2.3/",
  "https://172.16.0.1/",
  "https://172.31.255.255/",
  "https://192.168.0.1/",
  "https://169.254.169.254/",
  "https://100.64.0.1/",
  "https://198.18.0.1/",
  "https://224.0.0.1/",
  "https://255.255.255.255/",
  "https://[::1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:a00:1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://[fe80::1]/",
  "https://[fd00::1]/",
  "https://[ff02::1]/",
  "https://[2002:7f00:1::]/",
  "https://[2001:db8::1]/",
  "https://[2001:0:1::]/",
])("refuses %s", (url) => expect(refused(url)).toBe(true));

describe("with loopback allowed", () => {
  it.each(["http://127.0.0.1:9000/", "http://localhost:1/", "http://[::1]:80/"])(
    "lets %s through",
    (url) => expect(outboundUrlFault(url, true)).toBeNull(),
  );
  it.each(["http://10.0.0.1/", "http://example.com/", "https://169.254.169.254/"])(
    "still refuses %s",
    (url) => expect(outboundUrlFault(url, true)).not.toBeNull(),
  );
});
