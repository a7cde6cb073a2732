import { Badge, Loader, Tooltip } from "@mantine/core";
import { IconPlugConnected, IconPlugConnectedX } from "@tabler/icons-react";
import { useConnection } from "../rpc/connection.ts";

const SIGNS = {
  open: { color: "green", text: "live", tip: "What happens is shown at once" },
  waiting: { color: "gray", text: "connecting", tip: "The connection is being made" },
  lost: {
    color: "orange",
    text: "offline",
    tip: "The connection was lost, and is being made again. What you see may be old",
  },
} as const;

export function ConnectionSign() {
  const connection = useConnection();
  const { color, text, tip } = SIGNS[connection];
  const icon =
    connection === "open" ? <IconPlugConnected size={12} aria-hidden /> : <IconPlugConnectedX size={12} aria-hidden />;
  return (
    <Tooltip label={tip} multiline maw={260}>
      <Badge
        role="status"
        aria-label={`connection: ${text}`}
        color={color}
        variant="light"
        flex="none"
        data-connection={connection}
        leftSection={connection === "open" ? icon : <Loader size={10} color={color} aria-hidden />}
      >
        {text}
      </Badge>
    </Tooltip>
  );
}
