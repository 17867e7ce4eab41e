/** Regenerates docs/images/playground-*.png: the browser tests take the screenshots, Pillow reduces their size. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node24, root, run, setUp, venvBin } from "./setup.mjs";

const SHRINK = `
import pathlib, sys
from PIL import Image
for path in pathlib.Path(sys.argv[1]).glob("*.png"):
    image = Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(pathlib.Path(sys.argv[2]) / path.name, optimize=True)
`;

await setUp({ tests: true });
const folder = mkdtempSync(join(tmpdir(), "fovea-shots-"));
const tests = ["--test", "--test-isolation=none", "test/browser/*.test.ts"];
const taken = await run(node24, tests, { env: { FOVEA_SHOTS: folder } });
const images = join(root, "docs/images");
const shrunk = taken && (await run(join(venvBin, "python"), ["-c", SHRINK, folder, images]));
rmSync(folder, { recursive: true });
process.exitCode = shrunk ? 0 : 1;
