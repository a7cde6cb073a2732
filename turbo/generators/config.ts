// `npm run generate` makes a new package folder that looks like its sisters.
import { execFileSync } from "node:child_process";

/** The part of plop's interface that is used here; the generator itself is fetched by turbo when it is first run. */
interface Plop {
  setGenerator(name: string, generator: object): void;
}

interface Answers {
  readonly name: string;
  readonly description: string;
}

const FILES = [
  "package.json",
  "tsconfig.json",
  "tsdown.config.ts",
  "vitest.config.ts",
  "README.md",
  "src/index.ts",
  "test/tsconfig.json",
];

export default function generators(plop: Plop): void {
  plop.setGenerator("package", {
    description: "A new package in packages/, in the layout of the house",
    prompts: [
      {
        type: "input",
        name: "name",
        message: "Name without @rpc/ (kebab-case):",
        validate: (name: string) => /^[a-z][a-z0-9-]*$/.test(name) || "small letters, digits and hyphens, please",
      },
      { type: "input", name: "description", message: "What it carries calls over, in one sentence:" },
    ],
    actions: [
      ...FILES.map((file) => ({
        type: "add",
        path: `{{ turbo.paths.root }}/packages/{{ name }}/${file}`,
        templateFile: `templates/${file.replaceAll("/", "-")}.hbs`,
      })),
      (answers: Answers) => {
        execFileSync("npm", ["run", "--silent", "pnpm", "--", "install", "--no-frozen-lockfile"], { stdio: "inherit" });
        return `packages/${answers.name} is there; add what it may import to tools/checks/floors.ts and ARCHITECTURE.md`;
      },
    ],
  });
}
