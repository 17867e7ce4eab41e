/**
 * A searchable PDF: the picture of each page, with invisible text below it (text render mode 3). The font has
 * no outlines. It has one code for each character that occurs, mapped to Unicode, so that text of any script
 * can be searched and copied.
 */
import type { PageError, PageResult } from "../../domain/pages/page-result.ts";
import { ASCENT, DESCENT, glyphlessFont, NARROW, WIDE } from "../pdf/glyphless.ts";
import { pngImage } from "../pdf/png.ts";
import { isWide, type Line, textLines } from "../pdf/text-layer.ts";
import { PdfWriter } from "../pdf/writer.ts";
import { COLOURS } from "./overlay.ts";
import { blocksOf } from "./placed.ts";
import type { View } from "./view.ts";

/** For pictures without a resolution. */
const DPI = 144;
/** Longest side that PDF allows, in points. */
const LONGEST = 14_400;
/** Type size of a box's number. */
const LABEL = 8;
const LAST_CODE = 0xffff;
const A4 = { width: 595, height: 842 };

export const pdf = (): View => document(() => []);

/** A searchable PDF with the blocks' boxes drawn over the picture, in the colours of `overlay.svg`. */
export const overlayPdf = (): View => document(boxOperators);

type Size = ReturnType<typeof sizeOf>;

/** @param over makes the operators that are drawn over a page's picture */
const document = (over: (result: PageResult, size: Size) => string[]): View => {
  const file = new PdfWriter();
  const catalog = file.reserve();
  const tree = file.reserve();
  const text = file.reserve();
  const note = file.reserve();
  const codes = new Map<string, number>();
  const pages: number[] = [];

  /** Codes start at 1. Code 0 stands for characters that have none. */
  const codeOf = (character: string): number => {
    const known = codes.get(character);
    if (known !== undefined || codes.size === LAST_CODE) return known ?? 0;
    codes.set(character, codes.size + 1);
    return codes.size;
  };
  const codesOf = (words: string) =>
    Array.from(words, (character) => hex4(codeOf(character))).join("");

  return {
    mediaType: "application/pdf",
    pictures: true,
    head: () => [
      file.head(),
      file.object(catalog, `<< /Type /Catalog /Pages ${tree} 0 R >>`),
      file.object(note, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"),
    ],
    page: ({ page, result, error }, _first, png) => {
      const image = png && result ? pngImage(png) : null;
      const size = result ? sizeOf(result) : A4;
      const sheet = file.reserve();
      const content = file.reserve();
      const picture = image ? file.reserve() : 0;
      pages.push(sheet);
      const lines = result ? blocksOf(result).flatMap((block) => textLines(block, size)) : [];
      const operators = [
        ...lines.map((line) => textOperators(line, size.height, codesOf(line.text))),
        ...(image ? [`q ${n(size.width)} 0 0 ${n(size.height)} 0 0 cm /I Do Q`] : []),
        ...(result ? over(result, size) : []),
        ...(error ? [`BT /N 12 Tf 72 ${size.height - 72} Td (${plain(page, error)}) Tj ET`] : []),
      ];
      const images = image ? ` /XObject << /I ${picture} 0 R >>` : "";
      return [
        file.object(
          sheet,
          `<< /Type /Page /Parent ${tree} 0 R /MediaBox [0 0 ${n(size.width)} ${n(size.height)}] /Contents ${content} 0 R ` +
            `/Resources << /Font << /T ${text} 0 R /N ${note} 0 R >>${images} >> >>`,
        ),
        file.stream(content, "", [bytes(operators.join("\n"))]),
        ...(image ? [file.stream(picture, image.dictionary, image.data)] : []),
      ];
    },
    tail: () => [
      ...fontObjects(file, text, [...codes]),
      file.object(
        tree,
        `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((id) => `${id} 0 R`).join(" ")}] >>`,
      ),
      file.tail(catalog),
    ],
  };
};

/** Size of a page, in points. */
function sizeOf({ width, height, dpi }: PageResult): { width: number; height: number } {
  const scale = Math.min(72 / (dpi ?? DPI), LONGEST / Math.max(width, height, 1));
  return { width: Math.max(width, 1) * scale, height: Math.max(height, 1) * scale };
}

function textOperators(line: Line, pageHeight: number, codes: string): string {
  // A negative scale makes the line run from right to left in reading order.
  const across = line.rightToLeft ? -1 : 1;
  const at = `${across} 0 0 1 ${n(line.x)} ${n(pageHeight - line.y)} Tm`;
  return `BT 3 Tr /T ${n(line.size)} Tf ${n(line.stretch)} Tz ${at} <${codes}> Tj ET`;
}

function boxOperators({ blocks }: PageResult, { width, height }: Size): string[] {
  return blocks.map(({ id, type, bbox: [x0, y0, x1, y1] }) => {
    const colour = [1, 3, 5].map((at) =>
      n(Number.parseInt(COLOURS[type].slice(at, at + 2), 16) / 255),
    );
    const [left, top] = [x0 * width, height - y0 * height];
    const box = [left, height - y1 * height, (x1 - x0) * width, (y1 - y0) * height].map(n);
    // The label is left of the box, where it covers the least.
    const from = Math.max(left - LABEL * (0.6 * String(id).length + 0.3), 1);
    const label = `BT 0 Tr 100 Tz /N ${LABEL} Tf ${n(from)} ${n(top - LABEL)} Td (${id}) Tj ET`;
    return `q ${colour.join(" ")} RG ${colour.join(" ")} rg 1 w ${box.join(" ")} re S ${label} Q`;
  });
}

/** @param codes the characters that occur, and their codes */
function fontObjects(file: PdfWriter, font: number, codes: [string, number][]): Uint8Array[] {
  const cid = file.reserve();
  const descriptor = file.reserve();
  const program = file.reserve();
  const glyphs = file.reserve();
  const unicode = file.reserve();
  const glyphless = glyphlessFont();
  const wide = codes.filter(([character]) => isWide(character)).map(([, code]) => code);
  const widths = wide.map((code) => `${code} [${WIDE.width}]`).join(" ");
  const map = new Uint8Array(2 * (codes.length + 1));
  for (let i = 1; i < map.length; i += 2) map[i] = NARROW.glyph;
  for (const code of wide) map[2 * code + 1] = WIDE.glyph;
  return [
    file.object(
      font,
      `<< /Type /Font /Subtype /Type0 /BaseFont /Glyphless /Encoding /Identity-H /DescendantFonts [${cid} 0 R] /ToUnicode ${unicode} 0 R >>`,
    ),
    file.object(
      cid,
      `<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Glyphless /CIDSystemInfo ${SYSTEM_INFO} ` +
        `/FontDescriptor ${descriptor} 0 R /CIDToGIDMap ${glyphs} 0 R /DW ${NARROW.width} /W [${widths}] >>`,
    ),
    file.object(
      descriptor,
      `<< /Type /FontDescriptor /FontName /Glyphless /Flags 4 /FontBBox [0 ${DESCENT} ${WIDE.width} ${ASCENT}] /ItalicAngle 0 ` +
        `/Ascent ${ASCENT} /Descent ${DESCENT} /CapHeight ${ASCENT} /StemV 80 /FontFile2 ${program} 0 R >>`,
    ),
    file.stream(program, `/Length1 ${glyphless.length}`, [glyphless]),
    file.stream(glyphs, "", [map]),
    file.stream(unicode, "", [bytes(toUnicode(codes))]),
  ];
}

const SYSTEM_INFO = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>";
/** Maximum number of lines in a section of a CMap. */
const SECTION = 100;

function toUnicode(codes: [string, number][]): string {
  const sections = [];
  for (let at = 0; at < codes.length; at += SECTION) {
    const rows = codes.slice(at, at + SECTION);
    const lines = rows.map(([character, code]) => `<${hex4(code)}> <${utf16(character)}>`);
    sections.push(`${rows.length} beginbfchar\n${lines.join("\n")}\nendbfchar`);
  }
  return `/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
${sections.join("\n")}
endcmap
CMapName currentdict /CMap defineresource pop
end
end`;
}

const bytes = (text: string) => new TextEncoder().encode(text);
/** A page's error as a PDF string in Helvetica. Other characters of the code are dropped. */
const plain = (page: number, { code }: PageError) => `Page ${page}: ${code.replace(/[^\w-]/g, "")}`;
const hex4 = (code: number) => code.toString(16).padStart(4, "0");
const utf16 = (character: string) =>
  Array.from({ length: character.length }, (_, i) => hex4(character.charCodeAt(i))).join("");
const n = (value: number) => String(Math.round(value * 100) / 100);
