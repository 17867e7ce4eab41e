/** The results of a D1 batch, one for each statement. */

export const rowsOf = <Row>(result: D1Result<unknown> | undefined): Row[] =>
  (result?.results ?? []) as Row[];

export const changed = (result: D1Result<unknown> | undefined): boolean =>
  (result?.meta.changes ?? 0) > 0;
