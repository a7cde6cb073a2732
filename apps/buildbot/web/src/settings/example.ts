/** Where to begin from. */
export const EXAMPLE = `repositories:
  hello:
    url: https://git.example.com/hello.git
builders:
  tests:
    title: Tests
    repository: hello
    schedulers:
      - { kind: change }
    steps:
      - { name: install, command: npm ci }
      - { name: test, command: [node, --test, --test-reporter=tap], tests: tap }
`;
