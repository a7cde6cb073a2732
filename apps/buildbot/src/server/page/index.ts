export { createPage, type Page } from "./page.ts";
export { wishFor } from "./builds.ts";
export type { PageParts } from "./page-parts.ts";
