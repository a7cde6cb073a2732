import { AppShell, Burger, Group, Kbd, NavLink, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { ROLES } from "../../../src/contracts/values.ts";
import { useMe } from "../data/use-me.tsx";
import { ConnectionSign } from "./connection-sign.tsx";
import { KeysHelp } from "./keys-help.tsx";
import { PLACES } from "./places.ts";
import { SignInGate, useIsShutOut } from "./sign-in.tsx";
import { useKeys } from "./use-keys.ts";
import { UserMenu } from "./user-menu.tsx";
import { ViewButton } from "./view-button.tsx";

export function Shell({ children }: { children: ReactNode }) {
  const [isOpen, menu] = useDisclosure(false);
  const [isHelped, help] = useDisclosure(false);
  const [at] = useLocation();
  const role = ROLES.indexOf(useMe().value?.role ?? "viewer");
  const isShutOut = useIsShutOut();
  useKeys(help.open);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !isOpen || isShutOut, desktop: isShutOut } }}
      padding={{ base: "sm", sm: "lg" }}
    >
      <a href="#content" className="skip">
        Go to the content
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="xs" wrap="nowrap">
            {!isShutOut && (
              <Burger
                opened={isOpen}
                onClick={menu.toggle}
                hiddenFrom="sm"
                size="sm"
                aria-label={isOpen ? "close the menu" : "open the menu"}
              />
            )}
            <img src="/favicon.svg" alt="" width={26} height={26} />
            <Text fw={700} size="lg" visibleFrom="xs">
              Build bot
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {!isShutOut && <ConnectionSign />}
            <ViewButton />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" component="nav" aria-label="places">
        {PLACES.filter((place) => !isShutOut && ROLES.indexOf(place.role) <= role).map(
          ({ path, name, key, icon: Icon }) => (
            <NavLink
              key={path}
              component={Link}
              href={path}
              label={name}
              leftSection={<Icon size={18} aria-hidden />}
              active={isAt(at, path)}
              aria-current={isAt(at, path) ? "page" : undefined}
              rightSection={
                <Text span size="xs" c="dimmed" visibleFrom="sm" aria-hidden>
                  g {key}
                </Text>
              }
              onClick={menu.close}
            />
          ),
        )}
        <Text size="xs" c="dimmed" mt="auto" p="xs" visibleFrom="sm">
          <Kbd size="xs">?</Kbd> shows the keys
        </Text>
      </AppShell.Navbar>
      <AppShell.Main id="content">
        <SignInGate>{children}</SignInGate>
      </AppShell.Main>
      <KeysHelp opened={isHelped} close={help.close} />
    </AppShell>
  );
}

function isAt(location: string, path: string): boolean {
  if (path === "/") return location === "/";
  return location === path || location.startsWith(`${path}/`);
}
