import { suite } from "../../tools/vitest/base.ts";

export default suite();
