import { Anchor, type AnchorProps } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";

/** A link inside the page. */
export function To({
  href,
  children,
  ...props
}: { href: string; children: ReactNode; title?: string; className?: string } & AnchorProps) {
  return (
    <Anchor component={Link} href={href} {...props}>
      {children}
    </Anchor>
  );
}

export const builderPath = (name: string): string => `/builders/${encodeURIComponent(name)}`;
export const buildPath = (id: number): string => `/builds/${id}`;
/** `Ada <ada@example.org>`: Ada. */
export const personName = (author: string): string => author.replace(/\s*<[^>]*>$/, "") || author;
export const shortRevision = (revision: string): string => revision.slice(0, 10);
