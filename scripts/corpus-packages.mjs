/**
 * `npm run corpus:install`: adds to `.venv` what `python -m fovea.corpus` needs on a cluster: Ray, the object stores of
 * fsspec and py3langid (docs/CORPUS.md). `npm start` and `npm test` do without; the tests that need them are skipped then.
 */
import { installPackages, SetupError, setUp } from "./setup.mjs";

try {
  await setUp();
  await installPackages("requirements-corpus.txt");
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
