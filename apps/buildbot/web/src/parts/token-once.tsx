import { Button, Code, CopyButton, Group, Stack, Text } from "@mantine/core";

export function TokenOnce({ token, hint, close }: { token: string; hint: string; close: () => void }) {
  return (
    <Stack>
      <Text size="sm">This token is shown once. {hint}</Text>
      <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
        {token}
      </Code>
      <Group justify="flex-end">
        <CopyButton value={token}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
        <Button onClick={close}>I have it</Button>
      </Group>
    </Stack>
  );
}
