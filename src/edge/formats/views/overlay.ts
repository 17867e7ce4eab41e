/** The blocks of a page as SVG boxes, in pixels of the raster that was read, to be laid over it. */
import type { PageResult } from "../../domain/pages/page-result.ts";
import { escapeXml } from "./xml.ts";

/** Colours by block type. */
export const COLOURS: Record<PageResult["blocks"][number]["type"], string> = {
  title: "#c2185b",
  sub_title: "#d81b60",
  text: "#1565c0",
  list: "#0277bd",
  table: "#2e7d32",
  table_caption: "#558b2f",
  image: "#6a1b9a",
  image_caption: "#8e24aa",
  equation: "#e65100",
  code: "#4e342e",
  footnote: "#546e7a",
  header: "#757575",
  footer: "#757575",
  page_number: "#757575",
};

export function overlay({ width, height, page, blocks }: PageResult): string {
  const shapes = blocks.map(({ id, type, bbox: [x0, y0, x1, y1], text }) => {
    const [x, y] = [round(x0 * width), round(y0 * height)];
    const [w, h] = [round((x1 - x0) * width), round((y1 - y0) * height)];
    const title = `${type} ${id}: ${text.slice(0, 500)}`;
    return (
      `<g class="${type}" fill="${COLOURS[type]}" stroke="${COLOURS[type]}"><title>${escapeXml(title)}</title>` +
      `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill-opacity=".12" stroke-width="2"/>` +
      `<text x="${x + 3}" y="${y + 14}" stroke="none">${id}</text></g>\n`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui,sans-serif" font-size="14"><title>Page ${page}</title>\n${shapes.join("")}</svg>\n`
  );
}

const round = (pixels: number) => Math.round(pixels * 10) / 10;
