/** `mdp-worker.ts <endpoint> <registrations>`. */
import { work } from "./mdp-peers.ts";

const [endpoint = "", registrations = "1"] = process.argv.slice(2);
for (let i = 0; i < Number(registrations); i++) work(endpoint);
process.on("disconnect", () => process.exit(0));
process.send?.("up");
