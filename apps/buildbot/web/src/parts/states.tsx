import { Alert, Button, Center, Loader, Stack, Text } from "@mantine/core";
import { IconAlertCircle } from "@tabler/icons-react";
import type { RpcError } from "@rpc/core";
import type { ReactNode } from "react";
import { wordsOf } from "../data/notices.ts";
import { type Loaded, mayComeBack } from "../data/use-loaded.ts";
import { To } from "./link.tsx";

/** What was loaded; until then a sign that it is coming, or why it is not. */
export function Shown<Value>({ of, children }: { of: Loaded<Value>; children: (value: Value) => ReactNode }) {
  return (
    <Stack gap="md">
      {of.error && <Trouble error={of.error} retry={of.reload} />}
      {of.value !== undefined && children(of.value)}
      {of.value === undefined && !of.error && (
        <Center py="xl">
          <Loader aria-label="loading" />
        </Center>
      )}
    </Stack>
  );
}

function Trouble({ error, retry }: { error: RpcError; retry: () => void }) {
  if (error.code === "NOT_FOUND") {
    return (
      <Nothing>
        {wordsOf(error)} <To href="/">Go home</To>
      </Nothing>
    );
  }
  return (
    <Alert color="red" icon={<IconAlertCircle aria-hidden />} title="That did not come">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{wordsOf(error)}</Text>
        {mayComeBack(error) && (
          <Text size="sm">Something behind the server is away; this page asks again by itself.</Text>
        )}
        <Button size="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      </Stack>
    </Alert>
  );
}

export function Nothing({ children }: { children: ReactNode }) {
  return (
    <Text c="dimmed" ta="center" py="xl">
      {children}
    </Text>
  );
}
