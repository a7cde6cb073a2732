import { Button, Menu, Modal, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconLogin, IconLogout, IconUser } from "@tabler/icons-react";
import { attempt } from "../data/notices.ts";
import { useMe } from "../data/use-me.tsx";
import { signOut } from "../rpc/session.ts";
import { SignInForm } from "./sign-in.tsx";

const NOBODY = "anonymous";

export function UserMenu() {
  const me = useMe().value;
  const [isAsked, ask] = useDisclosure(false);
  if (me === undefined) return undefined;
  if (me.name !== NOBODY) {
    return (
      <Menu position="bottom-end">
        <Menu.Target>
          <Button
            variant="default"
            size="sm"
            px="sm"
            flex="0 1 auto"
            miw={0}
            maw={160}
            leftSection={<IconUser size={16} aria-hidden />}
          >
            <Text span inherit truncate>
              {me.name}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{me.role}</Menu.Label>
          <Menu.Item
            leftSection={<IconLogout size={16} aria-hidden />}
            onClick={() => void attempt("Signing out", signOut)}
          >
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    );
  }
  return (
    <>
      <Button variant="default" size="sm" px="sm" leftSection={<IconLogin size={16} aria-hidden />} onClick={ask.open}>
        Sign in
      </Button>
      <Modal opened={isAsked} onClose={ask.close} title="Sign in" closeButtonProps={{ "aria-label": "close" }}>
        <SignInForm />
      </Modal>
    </>
  );
}
