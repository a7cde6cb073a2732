// The contract stands in weather.proto, for programs in any language. generated/weather.rpc.ts is made of it:
//     npx rpc-proto-gen weather.proto -o generated/weather.rpc.ts
import { createClient, createRouter, RpcError } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { Sky, Weather } from "./generated/weather.rpc.ts";

const names = new Map<number, string>(Object.entries(Sky).map(([name, number]) => [number, name]));

const router = createRouter(Weather, {
  now: ({ name }) => ({ day: 0, celsius: name === "Yakutsk" ? -38 : 21, sky: Sky.SKY_CLEAR }),
  forecast: function* () {
    for (let day = 1; day <= 3; day++) yield { day, celsius: 20 - day, sky: day === 2 ? Sky.SKY_RAIN : Sky.SKY_CLEAR };
  },
});
const listener = await serveTcp(router);
const transport = createTcpTransport(listener.endpoint);
const weather = createClient(Weather, transport);

const { celsius, sky } = await weather.now({ name: "Yakutsk" });
console.log(`now: ${celsius} °C, ${names.get(sky)}`);
for await (const report of weather.forecast({ name: "Potsdam" })) {
  console.log(`day ${report.day}: ${report.celsius} °C, ${names.get(report.sky)}`);
}
try {
  // @ts-expect-error a name is a string
  await weather.now({ name: 7 });
} catch (error) {
  if (!(error instanceof RpcError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
await transport.close();
await listener.close();
