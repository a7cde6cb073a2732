import { Alert, Button, Card, Center, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { wordsOf } from "../data/notices.ts";
import { useMe } from "../data/use-me.tsx";
import { useRefusal } from "../rpc/live.ts";
import { signIn } from "../rpc/session.ts";

export function SignInForm() {
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (): Promise<void> => {
    setBusy(true);
    try {
      await signIn(token.trim());
    } catch (error) {
      setTrouble(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <Stack>
        <PasswordInput
          label="Token"
          description="An admin makes it on the page Users. The first one was printed when the server was started for the first time."
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          error={trouble || undefined}
          autoComplete="current-password"
          required
          data-autofocus
        />
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

/** Nobody is signed in, and who is not is shown nothing. */
export function useIsShutOut(): boolean {
  const { error } = useMe();
  const refusal = useRefusal();
  return error?.code === "UNAUTHENTICATED" || refusal?.code === "UNAUTHENTICATED";
}

/** What is behind it is shown to who may see it. */
export function SignInGate({ children }: { children: ReactNode }) {
  const { value } = useMe();
  const refusal = useRefusal();
  const isShutOut = useIsShutOut();
  useEffect(() => {
    if (isShutOut) document.title = "Sign in · Build bot";
  }, [isShutOut]);
  if (isShutOut) {
    return (
      <Center mih="60vh">
        <Card withBorder padding="lg" w={400} maw="100%">
          <Title order={1} size="h3" mb="md">
            Sign in
          </Title>
          <SignInForm />
        </Card>
      </Center>
    );
  }
  return (
    <>
      {refusal && value && (
        <Alert color="orange" title="This page is not told what happens" mb="md">
          <Text size="sm">{wordsOf(refusal)}. Reload it to try again.</Text>
        </Alert>
      )}
      {children}
    </>
  );
}
