/** Paginated lists, newest first. */
export interface ListQuery {
  limit?: number;
  cursor?: string;
}

export interface Listed<Item> {
  data: Item[];
  next_cursor: string | null;
}

export async function* all<Item>(
  list: (page: ListQuery) => Promise<Listed<Item>>,
): AsyncGenerator<Item> {
  for (let page: ListQuery = { limit: 100 }; ; ) {
    const { data, next_cursor } = await list(page);
    yield* data;
    if (next_cursor === null) return;
    page = { limit: 100, cursor: next_cursor };
  }
}
