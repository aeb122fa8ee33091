// A dashboard as JSON: Grafana's own types, with its enumerations as the texts that they stand for, and the options of
// every kind of panel that we use.
import type { Dashboard, GraphFieldConfig, Panel, RowPanel, TableFieldOptions } from '@grafana/schema';
import type { FieldConfig as StateFields, Options as States } from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TimeSeries } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Plain<Item>[]
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

// What Prometheus' data source reads of a target.
interface Target {
  refId: string;
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  legendFormat: string;
  instant?: boolean;
  range?: boolean;
  format?: 'table' | 'time_series';
}

type Fields = NonNullable<Panel['fieldConfig']>;
type Of<Kind, Options, Custom> = Plain<Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig'>> & {
  type: Kind;
  options: Partial<Plain<Options>>;
  targets: Target[];
  fieldConfig: Plain<Omit<Fields, 'defaults'>> & {
    defaults: Plain<Omit<Fields['defaults'], 'custom'>> & { custom?: Partial<Plain<Custom>> };
  };
};

export type CheckedDashboard = Plain<Omit<Dashboard, 'panels'>> & {
  panels: (
    | Of<'stat', Stat, never>
    | Of<'state-timeline', States, StateFields>
    | Of<'table', Table, TableFieldOptions>
    | Of<'timeseries', TimeSeries, GraphFieldConfig>
    | Plain<RowPanel>
  )[];
};
